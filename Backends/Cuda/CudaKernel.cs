namespace MambaRT.Backends.Cuda;

/// <summary>A kernel of a loaded module.</summary>
/// <param name="Handle">The driver's.</param>
/// <param name="Name">Its name.</param>
internal readonly record struct CudaKernel(nint Handle, string Name);
