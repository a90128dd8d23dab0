// Whole numbers of 64 bits where a device may have none: x holds the low half.

uvec2 add64(uvec2 a, uvec2 b) {
  uint carry, low = uaddCarry(a.x, b.x, carry);
  return uvec2(low, a.y + b.y + carry);
}
uvec2 sub64(uvec2 a, uvec2 b) { return uvec2(a.x - b.x, a.y - b.y - (a.x < b.x ? 1 : 0)); }
bool less64(uvec2 a, uvec2 b) { return a.y < b.y || (a.y == b.y && a.x < b.x); }

uvec2 mul32(uint a, uint b) {
  uvec2 p;
  umulExtended(a, b, p.y, p.x);
  return p;
}

// The upper half of a product.
uvec2 mulHigh64(uvec2 a, uvec2 b) {
  uvec2 middle = add64(uvec2(mul32(a.x, b.x).y, 0), mul32(a.x, b.y));       // less than 2^64
  uvec2 other = add64(uvec2(middle.x, 0), mul32(a.y, b.x));
  return add64(add64(mul32(a.y, b.y), uvec2(middle.y, 0)), uvec2(other.y, 0));
}

// Of 96 bits: those above the last n.
uvec3 shift96(uvec3 v, uint n) {
  for (; n >= 32; n -= 32) v = uvec3(v.yz, 0);
  return n == 0 ? v : uvec3(v.x >> n | v.y << (32 - n), v.y >> n | v.z << (32 - n), v.z >> n);
}
uint length96(uvec3 v) { return uint(v.z != 0 ? 65 + findMSB(v.z) : v.y != 0 ? 33 + findMSB(v.y) : 1 + findMSB(v.x)); }
bool anyBelow96(uvec3 v, uint n) {
  if (n == 0) return false;
  for (; n > 32; n -= 32) {
    if (v.x != 0) return true;
    v = uvec3(v.yz, 0);
  }
  return n == 32 ? v.x != 0 : (v.x & ((1u << n) - 1)) != 0;
}
