// The order and the weights of tokens as TokenPick and TokenPicker define them, in operations that every device rounds alike: single differences and products in float32, the
// rest in whole numbers. A device may take denormal numbers for zero, so that none of them may matter.

const uint HIDDEN = ~0u;              // in the place of a logit whose token is not picked: a NaN that no arithmetic makes
const float LOG2E = 1.44269504;
const float COEFFICIENTS[6] = float[6](0.0012391329510137439, 0.009683567099273205, 0.055481377989053726, 0.24023012816905975, 0.6931470036506653, 1.0);   // of 2^f, behind the first

// Larger logits first; -0 ties with 0.
uint orderOf(uint bits) {
  if (bits == 0x80000000u) bits = 0;
  return bits >> 31 != 0 ? bits : bits ^ 0x7fffffffu;
}
uint bitsOf(uint order) { return order >> 31 != 0 ? order : order ^ 0x7fffffffu; }
uint exponentOf(uint bits) { return bits >> 23 & 0xff; }

// A number below 2^-60, times 2^64: exact.
float lifted(uint bits) {
  if (exponentOf(bits) != 0) return uintBitsToFloat(bits + (64u << 23));
  float value = float(bits & 0x7fffff) * uintBitsToFloat((127u - 85u) << 23);
  return bits >> 31 != 0 ? -value : value;
}
bool isSmall(uint bits) { return exponentOf(bits) < 127 - 60; }

// A fused multiply-add y·f + c of positive numbers, rounded once: y = m·2^(e - 23), f = F·2^-24, y·f at most c, c from 1/8 of y's power of two up.
void fusedStep(inout uint m, inout int e, uint F, float c) {
  uint cBits = floatBitsToUint(c), sum = cBits & 0x7fffff | 0x800000;
  int cExponent = int(exponentOf(cBits)) - 127;
  uvec2 product = mul32(m, F);
  uint s = uint(cExponent - e + 24);   // bits of the product below the last of c: 24 to 28
  sum += product.y << (32 - s) | product.x >> s;
  uint rest = product.x & ((1u << s) - 1), unit = 1u << s;
  if (sum >= 1u << 24) {
    rest |= (sum & 1) << s;
    unit <<= 1;
    sum >>= 1;
    cExponent++;
  }
  if (rest > unit >> 1 || (rest == unit >> 1 && (sum & 1) != 0)) sum++;
  if (sum == 1u << 24) {
    sum >>= 1;
    cExponent++;
  }
  m = sum;
  e = cExponent;
}

// TokenPicker.Weight of a finite logit that is max or less. One way through: glslc 2023.2 ends in a crash where it has several.
uint weightOf(uint bits, uint maxBits, float scale) {
  uint scaleBits = floatBitsToUint(scale);
  bool lifts = isSmall(bits) && isSmall(maxBits), shrinks = !lifts && isSmall(scaleBits);
  precise float d = lifts ? lifted(bits) - lifted(maxBits) : uintBitsToFloat(bits) - uintBitsToFloat(maxBits);
  precise float x = d;
  if (shrinks) x = x * uintBitsToFloat((127u - 64u) << 23);   // by a power of two first, which is exact
  x = x * (lifts ? uintBitsToFloat(scaleBits - (64u << 23)) : shrinks ? lifted(scaleBits) : scale);
  if ((lifts && exponentOf(scaleBits) < 127 + 30) || (shrinks && abs(d) < 1e10)) x = 0.0;   // less than 2^-26 away
  uint weight = 0;
  if (x >= -31.0) {
    float whole = floor(x);
    precise float f = x - whole;
    uint F = uint(f * 16777216.0), m = floatBitsToUint(0.00021880853455513716) & 0x7fffff | 0x800000;
    int e = -13;
    for (uint i = 0; i < 6; i++) fusedStep(m, e, F, COEFFICIENTS[i]);
    weight = m << uint(7 + e) >> uint(-whole);
  }
  return weight;
}

// ceil(p·sum) as doubles give it: the product rounded to 53 bits first. p is above 0 and below 1.
uvec2 targetOf(uvec2 sum, uint p) {
  uint exponent = exponentOf(p), m = p & 0x7fffff | (exponent != 0 ? 0x800000 : 0), below = 150 - max(exponent, 1u);   // p = m·2^-below
  uvec2 low = mul32(m, sum.x), high = add64(mul32(m, sum.y), uvec2(low.y, 0));
  uvec3 product = uvec3(low.x, high);
  uint bits = length96(product);
  if (bits > 53) {
    uint drop = bits - 53;
    uvec3 kept = shift96(product, drop);
    bool atHalf = (shift96(product, drop - 1).x & 1) != 0;
    if (atHalf && ((kept.x & 1) != 0 || anyBelow96(product, drop - 1))) kept.xy = add64(kept.xy, uvec2(1, 0));
    product = kept;
    below -= drop;
  }
  if (below >= 96) return uvec2(1, 0);
  uvec3 whole = shift96(product, below);
  return anyBelow96(product, below) ? add64(whole.xy, uvec2(1, 0)) : whole.xy;
}
