// What all shaders share: the running batch, rows of floats, and functions as the contract asks for them.
#extension GL_GOOGLE_include_directive : require

// BatchTable.cs writes it: three counts, then where each list begins, then the lists. A command buffer serves any batch within its bucket, so workgroups
// beyond the counts have nothing to do.
layout(binding = 0, std430) readonly buffer BatchTable { uint batch[]; };

struct Rows { uint at, stride; };   // the first float of a value's first row, and floats from row to row

uint countOf(uint domain) { return batch[domain]; }   // 0: rows of tokens, 1: rows of outputs
uint sequences() { return batch[2]; }
uint slotOf(uint sequence) { return batch[16 + sequence]; }   // the first list, so that a step finds its states at once
uint startOf(uint sequence) { return batch[batch[4] + sequence]; }
uint lengthOf(uint sequence) { return batch[batch[5] + sequence]; }
uint outputRow(uint row) { return batch[batch[6] + row]; }
uint tokenOf(uint row) { return batch[batch[7] + row]; }
uint sequenceOf(uint row) { return batch[batch[8] + row]; }

// 1 ÷ √x, and NaN where x has overflowed: 0 would make a row of zeros, which looks like an answer.
float rootReciprocal(float x) { return x > 3.4e38 ? uintBitsToFloat(0x7fc00000u) : 1.0 / sqrt(x); }

float silu(float x) { return x / (1.0 + exp(-x)); }

// log(1 + exp(x)), from log1p(e) = 2 atanh(e / (2 + e)) with e in (0, 1]: log itself may err by 2^-21 near 1.
float softplus(float x) {
  if (x > 20.0) return x;
  float e = exp(-abs(x)), s = e / (2.0 + e), q = s * s;
  float series = 1.0 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11 + q * (1.0 / 13 + q * (1.0 / 15)))))));
  return max(x, 0.0) + 2.0 * s * series;
}
