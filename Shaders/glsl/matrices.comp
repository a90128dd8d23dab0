#version 450
// variants: emulated exact exact.emulated
// needs: GL_KHR_cooperative_matrix
// A product of many rows of x as halves with halves of W, by matrices of 16 x 16: four subgroups share a tile of ROWS rows of x and OUTPUTS of W. STEP columns of
// both are in shared memory while the next ones are on their way to registers. Variants named exact take x as the sum of two halves (split.comp), and move sums on
// before matrix units, which cut off what they add, have added many.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "matrices.glsl"
#include "common.glsl"
#include "product.glsl"

layout(binding = 3, std430) readonly buffer Halves { uvec4 halves[]; };   // rows end in zeros, up to a multiple of 64

// On an H100 tiles of 128 x 128, 128 x 64 and 64 x 128 were slower at every size, and on an H200 columns of two steps on their way.
layout(constant_id = 5) const uint SIDE = 64;   // 32 where larger tiles would leave multiprocessors idle: a step's matrices follow one another
const uint ROWS = SIDE, OUTPUTS = SIDE, STEP = 64;
const uint THREADS = 128, QUADS = STEP / 8, STRIDE = QUADS + 1;   // padded, so that rows fall to different banks
const uint DOWN = ROWS / 32, ACROSS = OUTPUTS / 32;               // matrices of a subgroup
const uint LOADS = ROWS * QUADS / THREADS, LOADS_W = OUTPUTS * QUADS / THREADS;
layout(local_size_x = THREADS) in;

shared uvec4 xs[ROWS * STRIDE];
#ifdef EXACT
layout(constant_id = 4) const uint SCALED_W = 0;   // whether rows of W are multiplied by powers of two as those of x are
layout(binding = 7, std430) readonly buffer Powers { float powers[]; };    // that results of a row of x are multiplied by
layout(binding = 8, std430) readonly buffer PowersW { float powersW[]; };
const uint SUMMED = 256 / STEP;                                            // steps between two moves of sums
shared uvec4 seconds[ROWS * STRIDE];
#endif
shared uvec4 ws[OUTPUTS * STRIDE];
shared float made[4 * 256];

void main() {
  uint id = gl_LocalInvocationID.x, subgroup = id / 32, firstToken = gl_WorkGroupID.x * ROWS, firstRow = gl_WorkGroupID.y * OUTPUTS, tokens = countOf(domain);
  if (firstToken >= tokens) return;
  uint down = subgroup % 2 * ROWS / 2, across = subgroup / 2 * OUTPUTS / 2, quads = w.columns / 8, quadsOfW = w.rowBytes / 16, quadsOfX = from.stride / 8, steps = (quads + QUADS - 1) / QUADS;
  Sums sums[DOWN][ACROSS];
  [[unroll]] for (uint i = 0; i < DOWN; i++)
    [[unroll]] for (uint j = 0; j < ACROSS; j++) ZERO(sums[i][j]);
  uvec4 nextX[LOADS], nextW[LOADS_W];
#ifdef EXACT
  Sums totals[DOWN][ACROSS];
  [[unroll]] for (uint i = 0; i < DOWN; i++)
    [[unroll]] for (uint j = 0; j < ACROSS; j++) ZERO(totals[i][j]);
  uvec4 nextSecond[LOADS];
#endif
  for (uint step = 0; step <= steps; step++) {
    if (step > 0) {
      barrier();
      [[unroll]] for (uint i = 0; i < LOADS; i++) xs[(id + i * THREADS) / QUADS * STRIDE + id % QUADS] = nextX[i];
#ifdef EXACT
      [[unroll]] for (uint i = 0; i < LOADS; i++) seconds[(id + i * THREADS) / QUADS * STRIDE + id % QUADS] = nextSecond[i];
#endif
      [[unroll]] for (uint i = 0; i < LOADS_W; i++) ws[(id + i * THREADS) / QUADS * STRIDE + id % QUADS] = nextW[i];
      barrier();
    }
    if (step < steps) {
      uint q = step * QUADS + id % QUADS;
      [[unroll]] for (uint i = 0; i < LOADS; i++) nextX[i] = halves[min(firstToken + (id + i * THREADS) / QUADS, tokens - 1) * quadsOfX + q];
#ifdef EXACT
      [[unroll]] for (uint i = 0; i < LOADS; i++) nextSecond[i] = halves[min(firstToken + (id + i * THREADS) / QUADS, tokens - 1) * quadsOfX + quadsOfX / 2 + q];
#endif
      [[unroll]] for (uint i = 0; i < LOADS_W; i++) nextW[i] = q < quads ? w128(min(firstRow + (id + i * THREADS) / QUADS, w.count - 1) * quadsOfW + q) : uvec4(0);
    }
    if (step == 0) continue;
    [[unroll]] for (uint k = 0; k < STEP / 16; k++) {
      FIRST_INPUTS first[DOWN];
      [[unroll]] for (uint i = 0; i < DOWN; i++) LOAD(first[i], xs, (down + 16 * i) * STRIDE + 2 * k, STRIDE);
      [[unroll]] for (uint j = 0; j < ACROSS; j++) {
        SECOND_INPUTS second;
        LOAD_TRANSPOSED(second, ws, (across + 16 * j) * STRIDE + 2 * k, STRIDE);
        [[unroll]] for (uint i = 0; i < DOWN; i++) MULTIPLY(sums[i][j], first[i], second, xs, ws, STRIDE);
      }
#ifdef EXACT
      [[unroll]] for (uint i = 0; i < DOWN; i++) LOAD(first[i], seconds, (down + 16 * i) * STRIDE + 2 * k, STRIDE);
      [[unroll]] for (uint j = 0; j < ACROSS; j++) {
        SECOND_INPUTS second;
        LOAD_TRANSPOSED(second, ws, (across + 16 * j) * STRIDE + 2 * k, STRIDE);
        [[unroll]] for (uint i = 0; i < DOWN; i++) MULTIPLY(sums[i][j], first[i], second, seconds, ws, STRIDE);
      }
#endif
    }
#ifdef EXACT
    if (step % SUMMED == 0 || step == steps)
      [[unroll]] for (uint i = 0; i < DOWN; i++)
        [[unroll]] for (uint j = 0; j < ACROSS; j++) {
          ADD(totals[i][j], sums[i][j]);
          ZERO(sums[i][j]);
        }
#endif
  }
  [[unroll]] for (uint i = 0; i < DOWN; i++)
    [[unroll]] for (uint j = 0; j < ACROSS; j++) {
      WAIT_FOR_SUBGROUP;
#ifdef EXACT
      STORE(totals[i][j], made, subgroup * 256);
#else
      STORE(sums[i][j], made, subgroup * 256);
#endif
      WAIT_FOR_SUBGROUP;
      [[unroll]] for (uint e = id % 32; e < 256; e += 32) {
        uint row = firstRow + across + 16 * j + e % 16, token = firstToken + down + 16 * i + e / 16;
        float sum = made[subgroup * 256 + e];
#ifdef EXACT
        sum *= powers[min(token, tokens - 1)];
        if (SCALED_W != 0) sum *= powersW[min(row, w.count - 1)];
#endif
        store(row, token, tokens, sum);
      }
    }
}
