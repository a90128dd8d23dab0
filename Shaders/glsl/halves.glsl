// What an op yields, as floats, as halves for the product by matrices that reads it next, or both.
#extension GL_EXT_shader_16bit_storage : require

const uint AsFloats = 0, AsBoth = 1, AsHalves = 2;

uint16_t halfOf(float v) { return uint16_t(packHalf2x16(vec2(v, 0.0))); }
