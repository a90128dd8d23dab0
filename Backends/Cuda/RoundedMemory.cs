namespace MambaRT.Backends.Cuda;

/// <summary>Room for the rows of one value in 8 bits.</summary>
internal sealed class RoundedMemory : IDisposable
{
    /// <summary>Columns that share a scale.</summary>
    public const int Block = 32;

    private const int ScaleBytes = 4 * sizeof(float);

    private readonly CudaDeviceMemory? _memory;
    private readonly long _scales;

    /// <param name="plan">What is run.</param>
    /// <param name="weights">Their forms say which values are rounded.</param>
    /// <param name="rows">Rows at most.</param>
    public RoundedMemory(Plan plan, DeviceWeights weights, int rows)
    {
        int widest = 0;
        foreach (Op op in plan.Ops)
            if (op is LinearOp linear && weights.FormOf(linear.Weight).IsQuantized) widest = Math.Max(widest, linear.X.Width);
        if (widest == 0) return;
        _scales = (long)rows * widest;
        _memory = new CudaDeviceMemory(BytesOf(rows, widest), $"the rounded activations of {rows} rows");
    }

    /// <summary>Bytes for so many rows.</summary>
    public static long BytesOf(int rows, int widest) => (long)rows * widest / Block * (Block + ScaleBytes);

    public long Bytes => _memory?.Bytes ?? 0;

    /// <summary>The room, for rows of so many blocks.</summary>
    public RoundedPointer Rows(int blocks)
    {
        ulong start = _memory?.Address ?? 0;
        return new RoundedPointer { Values = start, Scales = start + (ulong)_scales, Blocks = blocks };
    }

    public void Dispose() => _memory?.Dispose();
}
