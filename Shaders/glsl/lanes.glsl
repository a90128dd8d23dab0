// Threads by number, and sums over neighbours among them. With subgroups (variants of that name) threads of a subgroup are numbered one after the other; without,
// sums go by shared memory, and all threads of the workgroup must come by.
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require

uint threadNumber() { return gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID; }
#else
uint threadNumber() { return gl_LocalInvocationID.x; }
#endif
