namespace MambaRT.Backends.Cuda;

/// <summary>The values of a plan on the device: the arena, with rows at multiples of 64 bytes, and the logits, end to end.</summary>
internal sealed class ArenaMemory : IDisposable
{
    private const int Alignment = 16;

    private readonly ArenaLayout _layout;
    private readonly CudaDeviceMemory _arena, _logits;
    private readonly int _capacity;

    public ArenaMemory(Plan plan, BatchShape shape)
    {
        _layout = LayoutOf(plan);
        _capacity = Math.Max(shape.Tokens, shape.Outputs);
        _arena = new CudaDeviceMemory((long)_layout.FloatsPerRow * _capacity * sizeof(float), $"the scratch for {_capacity} rows");
        try
        {
            _logits = new CudaDeviceMemory((plan.Logits is null ? 1L : plan.VocabularySize) * shape.Outputs * sizeof(float), $"the logits of {shape.Outputs} rows");
        }
        catch
        {
            _arena.Dispose();
            throw;
        }
    }

    /// <summary>Where the values of a plan lie to one another.</summary>
    public static ArenaLayout LayoutOf(Plan plan) => new(plan, width => (width + Alignment - 1) / Alignment * Alignment);

    /// <summary>Bytes of the values of so many rows, without the logits.</summary>
    public static long BytesOf(Plan plan, int rows) => (long)LayoutOf(plan).FloatsPerRow * rows * sizeof(float);

    public ulong Logits => _logits.Address;

    public long Bytes => _arena.Bytes + _logits.Bytes;

    /// <summary>Where a value lies.</summary>
    public MatrixPointer this[Activation a]
    {
        get
        {
            int offset = _layout.Offset(a.Register);
            ulong start = offset < 0 ? _logits.Address : _arena.Address + (ulong)offset * (ulong)_capacity * sizeof(float);
            return new MatrixPointer
            {
                Data = start + (ulong)a.Offset * sizeof(float),
                Stride = _layout.Stride(a.Register),
                Width = a.Width,
            };
        }
    }

    public void Dispose()
    {
        _arena.Dispose();
        _logits.Dispose();
    }
}
