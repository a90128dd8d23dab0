// What products of many rows of x share: y = scale * (x W' + bias) + addTo.
#include "weights.glsl"

layout(constant_id = 3) const uint WIDE_X = 0;      // whether x is read sixteen bytes at a time

layout(binding = 3, std430) readonly buffer X { float x[]; };
layout(binding = 3, std430) readonly buffer WideX { vec4 x4[]; };
layout(binding = 4, std430) readonly buffer AddTo { float addTo[]; };
layout(binding = 5, std430) readonly buffer Bias { float bias[]; };
layout(binding = 6, std430) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { Weights w; Rows from, residual, to; float scale; uint domain, hasBias, adds; };

// Writes what a row of W, numbered from the first that is bound, and a row of x make.
void store(uint row, uint token, uint tokens, float sum) {
  if (token >= tokens || row >= w.count) return;
  uint column = w.first + row;
  if (hasBias != 0) sum += bias[column];
  sum *= scale;
  if (adds != 0) sum += addTo[residual.at + token * residual.stride + column];   // y may lie there: each value is read before it is written
  y[to.at + token * to.stride + column] = sum;
}
