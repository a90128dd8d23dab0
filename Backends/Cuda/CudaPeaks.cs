namespace MambaRT.Backends.Cuda;

/// <summary>What a device can do at best, as measured on it.</summary>
/// <param name="ReadBytes">Bytes a second read from its memory.</param>
/// <param name="HalfOperations">Operations a second of F16 products on its tensor cores, two a multiply-add, summed in float32; NaN where the kernels for it are not used.</param>
public sealed record CudaPeaks(double ReadBytes, double HalfOperations);
