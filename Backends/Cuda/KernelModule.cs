namespace MambaRT.Backends.Cuda;

/// <summary>A file of kernels, and the sizes it is compiled for where it has any.</summary>
/// <param name="Name">As in Shaders/cuda.</param>
/// <param name="Sizes">Constants of its kernels, or null.</param>
internal readonly record struct KernelModule(string Name, KernelSizes? Sizes = null);
