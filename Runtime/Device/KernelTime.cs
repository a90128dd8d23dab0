namespace MambaRT.Devices;

/// <summary>What a kernel took, all layers together.</summary>
/// <param name="Name">The last part of the op's name, and the kernel.</param>
/// <param name="Op">One of the ops it was launched for; null where it is none's alone.</param>
/// <param name="Launches">Launches.</param>
/// <param name="Milliseconds">Their time.</param>
public sealed record KernelTime(string Name, Op? Op, int Launches, double Milliseconds);
