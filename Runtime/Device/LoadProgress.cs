namespace MambaRT.Devices;

/// <summary>How far loading is.</summary>
/// <param name="Doing">What is being done, such as "uploading" or "compiling kernels".</param>
/// <param name="Done">Bytes done.</param>
/// <param name="Total">Bytes in all.</param>
public readonly record struct LoadProgress(string Doing, long Done, long Total);
