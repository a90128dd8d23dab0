namespace MambaRT.Backends.Cuda;

/// <summary>Logits in page-locked memory, where kernels may write them, and whether these found one that is not finite. Rows that were read stay readable when it is disposed.</summary>
internal sealed class HostLogits(long rows, int vocabulary) : IDisposable
{
    private readonly CudaRegisteredHostMemory _memory = new((rows * vocabulary + 1) * sizeof(float));

    /// <summary>Where kernels write them.</summary>
    public MatrixPointer Rows => new() { Data = _memory.Device, Stride = vocabulary, Width = vocabulary };

    /// <summary>What kernels set to 1.</summary>
    public ulong NotFinite => _memory.Device + (ulong)NotFiniteAt;

    /// <summary>Where copies go.</summary>
    public unsafe void* Address => _memory.Address;

    /// <summary>Whether all that kernels wrote since <see cref="Forget"/> was finite.</summary>
    public bool AreFinite => _memory.Span<int>(NotFiniteAt, 1)[0] == 0;

    /// <summary>Begins anew.</summary>
    public void Forget() => _memory.Span<int>(NotFiniteAt, 1)[0] = 0;

    /// <summary>The first rows.</summary>
    public ReadOnlySpan<float> Span(int rows) => _memory.Span<float>(0, rows * vocabulary);

    public void Dispose() => _memory.Dispose();

    private long NotFiniteAt => rows * vocabulary * sizeof(float);
}
