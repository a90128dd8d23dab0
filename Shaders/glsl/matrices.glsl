// Matrices of 16 x 16 that a subgroup of 32 threads holds together: inputs of 16 bits, which lie in shared memory in rows of so many uvec4, and sums in float32.
// Variants named emulated do the same one value at a time, on any device, so that all around them is tested where no device has such matrices.
#ifdef EMULATED
struct Inputs { uint at; };
struct Sums { float v[8]; };

float halfOf(uvec4 eight, uint k) { return unpackHalf2x16(eight[k / 2])[k & 1]; }

#define LOAD(m, shared_, first, stride) m.at = first
#define LOAD_TRANSPOSED(m, shared_, first, stride) m.at = first
#define MULTIPLY(sums, m, n, mShared, nShared, stride) { \
  for (uint e = 0; e < 8; e++) { \
    uint place = gl_LocalInvocationID.x % 32 + 32 * e; \
    for (uint k = 0; k < 16; k++) \
      sums.v[e] += halfOf(mShared[m.at + place / 16 * stride + k / 8], k % 8) * halfOf(nShared[n.at + place % 16 * stride + k / 8], k % 8); \
  } }
#define STORE(sums, shared_, first) for (uint e = 0; e < 8; e++) shared_[first + gl_LocalInvocationID.x % 32 + 32 * e] = sums.v[e]
#define ZERO(sums) for (uint e = 0; e < 8; e++) sums.v[e] = 0.0
#define ADD(totals, sums) for (uint e = 0; e < 8; e++) totals.v[e] += sums.v[e]
#define WAIT_FOR_SUBGROUP barrier()
#define FIRST_INPUTS Inputs
#define SECOND_INPUTS Inputs
#else
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#pragma use_vulkan_memory_model

#define FIRST_INPUTS coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA>
#define SECOND_INPUTS coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseB>
#define Sums coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>
#define LOAD(m, shared_, first, stride) coopMatLoad(m, shared_, first, stride, gl_CooperativeMatrixLayoutRowMajor)
#define LOAD_TRANSPOSED(m, shared_, first, stride) coopMatLoad(m, shared_, first, stride, gl_CooperativeMatrixLayoutColumnMajor)
#define MULTIPLY(sums, m, n, mShared, nShared, stride) sums = coopMatMulAdd(m, n, sums)
#define STORE(sums, shared_, first) coopMatStore(sums, shared_, first, 16, gl_CooperativeMatrixLayoutRowMajor)
#define ZERO(sums) sums = Sums(0.0)
#define ADD(totals, sums) totals = totals + sums
#define WAIT_FOR_SUBGROUP subgroupBarrier()
#endif
