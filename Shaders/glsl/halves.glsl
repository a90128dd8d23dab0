// What an op yields, as floats, as halves for the product by matrices that reads it next, or both.
#extension GL_EXT_shader_16bit_storage : require

const uint AsFloats = 0, AsBoth = 1, AsHalves = 2;

// Its bits; what calls this makes 16 of them, where they are stored: a value of 16 bits anywhere else takes a feature that not every device has.
uint halfOf(float v) { return packHalf2x16(vec2(v, 0.0)); }
