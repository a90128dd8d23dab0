namespace MambaRT.Backends.Vulkan;

/// <summary>One shader over a grid of workgroups, with what it is given.</summary>
/// <param name="Op">The op it belongs to.</param>
/// <param name="Shader">What runs.</param>
/// <param name="Bindings">What it reads and writes.</param>
/// <param name="Push">Its push constants.</param>
/// <param name="X">Workgroups in the first direction.</param>
/// <param name="Y">Workgroups in the second.</param>
/// <param name="Work">What it takes, see <see cref="Workload"/>.</param>
internal sealed record Dispatch(string Op, ShaderKey Shader, BufferBinding[] Bindings, byte[] Push, uint X, uint Y, long Work = 0);
