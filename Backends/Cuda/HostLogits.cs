namespace MambaRT.Backends.Cuda;

/// <summary>Logits in page-locked memory, where kernels may write them, and whether these found one that is not finite.</summary>
internal sealed class HostLogits(long rows, int vocabulary) : IDisposable
{
    private readonly CudaPageLockedHostMemory _values = new(rows * vocabulary * sizeof(float)), _notFinite = new(sizeof(int));

    /// <summary>Where kernels write them.</summary>
    public unsafe MatrixPointer Rows => new() { Data = (ulong)_values.Address, Stride = vocabulary, Width = vocabulary };

    /// <summary>What kernels set to 1.</summary>
    public unsafe ulong NotFinite => (ulong)_notFinite.Address;

    /// <summary>Where copies go.</summary>
    public unsafe void* Address => _values.Address;

    /// <summary>Whether all that kernels wrote since <see cref="Forget"/> was finite.</summary>
    public bool AreFinite => _notFinite.Span<int>(0, 1)[0] == 0;

    /// <summary>Begins anew.</summary>
    public void Forget() => _notFinite.Span<int>(0, 1)[0] = 0;

    /// <summary>The first rows.</summary>
    public ReadOnlySpan<float> Span(int rows) => _values.Span<float>(0, rows * vocabulary);

    public void Dispose()
    {
        _values.Dispose();
        _notFinite.Dispose();
    }
}
