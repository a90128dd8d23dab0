namespace MambaRT.Backends.Cuda;

/// <summary>
/// Room for the factors of one product as sums of halves: x, and weights that are not halves themselves. The parts of a matrix lie one below the other,
/// beside them what each row is multiplied by in the end.
/// </summary>
internal sealed class SplitMemory : IDisposable
{
    private readonly CudaDeviceMemory? _memory;
    private readonly Need _need;

    /// <summary>Bytes of x, of weights, and of the powers of two of their rows.</summary>
    private readonly record struct Need(long X, long Weights, long RowPowers, long OutputPowers)
    {
        public long Total => X + Weights + RowPowers + OutputPowers;
    }

    /// <param name="plan">What is run.</param>
    /// <param name="weights">Their forms say which products are split.</param>
    /// <param name="exact">As for <see cref="HalfParts.For"/>.</param>
    /// <param name="rows">Rows at most; 0 where there are no tensor cores.</param>
    public SplitMemory(Plan plan, DeviceWeights weights, bool exact, int rows)
    {
        RowCount = rows;
        if (rows == 0) return;
        _need = NeedOf(plan, weight => weights.FormOf(weight), exact, rows);
        if (_need.Total > 0) _memory = new CudaDeviceMemory(_need.Total, "factors in several parts of 16 bits");
    }

    /// <summary>Bytes on the device; none where no product is split.</summary>
    public long Bytes => _memory?.Bytes ?? 0;

    /// <summary>Rows from one part of x to the next.</summary>
    public int RowCount { get; }

    /// <summary>Where x of a product goes.</summary>
    public PartedPointer X(int width, HalfParts parts) => new()
    {
        To = new HalfPointer { Data = Address, Stride = Stride(width) },
        Back = Address + (ulong)(_need.X + _need.Weights),
        Apart = RowCount,
        Count = parts.X,
    };

    /// <summary>Where its weights go.</summary>
    public PartedPointer Weights(WeightPointer weights, HalfParts parts) => new()
    {
        To = new HalfPointer { Data = Address + (ulong)_need.X, Stride = Stride(weights.Columns) },
        Back = Address + (ulong)(_need.X + _need.Weights + _need.RowPowers),
        Apart = weights.Rows,
        Count = parts.W,
    };

    private ulong Address => _memory?.Address ?? 0;

    /// <summary>Halves from row to row: whole pieces of sixteen bytes.</summary>
    private static int Stride(int width) => (width + 7) / 8 * 8;

    /// <summary>Bytes that a plan needs.</summary>
    /// <param name="plan">What is run.</param>
    /// <param name="formOf">The form of a weight, or null where it is missing.</param>
    /// <param name="exact">As for <see cref="HalfParts.For"/>.</param>
    /// <param name="rows">Rows at most.</param>
    public static long BytesOf(Plan plan, Func<WeightRef, WeightForm?> formOf, bool exact, int rows) => NeedOf(plan, formOf, exact, rows).Total;

    public void Dispose() => _memory?.Dispose();

    private static Need NeedOf(Plan plan, Func<WeightRef, WeightForm?> formOf, bool exact, int rows)
    {
        long x = 0, weights = 0, outputs = 0;
        foreach (Op op in plan.Ops)
        {
            if (op is not LinearOp linear || formOf(linear.Weight) is not WeightForm form) continue;
            HalfParts parts = HalfParts.For(form, exact);
            if (!parts.AreSeveral) continue;
            x = Math.Max(x, (long)parts.X * Stride(linear.X.Width));
            if (parts.W == 1) continue;
            weights = Math.Max(weights, (long)parts.W * Stride(linear.X.Width) * linear.Output.Width);
            outputs = Math.Max(outputs, linear.Output.Width);
        }
        return x == 0 ? default : new Need(Whole(x * rows * sizeof(ushort)), Whole(weights * sizeof(ushort)), Whole((long)rows * sizeof(float)), Whole(outputs * sizeof(float)));
    }

    /// <summary>What lies behind begins on a multiple of 256.</summary>
    private static long Whole(long bytes) => (bytes + 255) / 256 * 256;
}
