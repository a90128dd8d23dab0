// Activations rounded to signed bytes as Backends/Cpu does it (QuantizedRows.cs): a scale max|x| / 127 for each 32 columns, of which eight threads in a row have
// four each.
#extension GL_EXT_integer_dot_product : require

const float TINY = 1e-30;   // a block whose largest value is not above this counts as zero: 127 / max must stay finite

const float WHOLES = 12582912.0;   // plus this, a small number is a whole one in the low bits of its fraction, rounded to even: conversions take four times as long

uint roundFour(vec4 v, out float scale) {
  uvec4 sizes = floatBitsToUint(abs(v));   // in the order of magnitudes, with NaN above infinity: no NaN is lost, as it may be in a maximum of floats
  uint most = max(max(sizes.x, sizes.y), max(sizes.z, sizes.w));
  [[unroll]] for (uint other = 1; other < 8; other *= 2) most = max(most, subgroupShuffleXor(most, other));
  float largest = uintBitsToFloat(most);
  scale = largest / 127.0;
  uvec4 q = floatBitsToUint(v * (largest > TINY ? 127.0 / largest : 0.0) + WHOLES) & 255;
  return q.x | q.y << 8 | q.z << 16 | q.w << 24;
}

// The sum of sixteen bytes, of which four threads in a row have four each.
int sumOfSixteen(uint four) {
  int sum = dotPacked4x8EXT(int(four), 0x01010101);
  sum += subgroupShuffleXor(sum, 1);
  return sum + subgroupShuffleXor(sum, 2);
}

int dotOfSixteen(uvec4 a, uvec4 b) {
  int sum = 0;
  [[unroll]] for (uint i = 0; i < 4; i++) sum += dotPacked4x8EXT(int(a[i]), int(b[i]));
  return sum;
}
