using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>The arithmetic of one projection, by the storage type of its weights.</summary>
internal abstract unsafe class WeightKernel(TensorView weights)
{
    /// <summary>Weight rows that are multiplied together in a matrix–matrix product: two vectors of eight lanes.</summary>
    public const int PanelRows = 16;

    public readonly TensorView Weights = weights;   // holds the owner of the memory behind Address
    protected readonly byte* Address = (byte*)weights.Address;
    protected readonly long Stride = weights.Stride;

    public int Rows => Weights.Rows;

    public int Columns => Weights.Columns;

    public long BytesPerRow => Weights.RowBytes;

    /// <summary>Whether activations are wanted in 8 bit.</summary>
    public abstract bool ReadsQuantized { get; }

    /// <summary>Scratch that <see cref="Dot"/> and <see cref="Multiply"/> need, per member of the team.</summary>
    public abstract long ScratchBytes { get; }

    /// <summary>From this many activation rows on, <see cref="Multiply"/> is the faster.</summary>
    public abstract int RowsForPanels { get; }

    /// <summary>y[t·count + i] = weight row begin + i · activation row t, for i below count and t below rows: decode.</summary>
    public abstract void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch);

    /// <summary>Panels that one call of <see cref="Multiply"/> may take.</summary>
    public virtual int PanelsTogether => 1;

    /// <summary>Weight rows begin to begin + count (at most <see cref="PanelsTogether"/> panels) by activation rows <paramref name="from"/> to <paramref name="to"/>: prefill.</summary>
    public abstract void Multiply(int begin, int count, in LinearInput x, int from, int to, byte* scratch, in Epilogue store);

    /// <summary>The kernel for a stored matrix.</summary>
    /// <param name="weights">The matrix.</param>
    /// <param name="isa">The instructions it may use.</param>
    /// <param name="code">Where emitted code is kept; null = none may be emitted.</param>
    public static WeightKernel For(TensorView weights, CpuIsa isa, CodeCache? code) => weights.Type.Name switch
    {
        "F32" => Float(new FloatKernel<F32Load>(weights), FloatStorage.F32, code),
        "F16" => Float(new FloatKernel<F16Load>(weights), FloatStorage.F16, code),
        "BF16" => Float(new FloatKernel<BF16Load>(weights), FloatStorage.BF16, code),
        _ => Int8Kernels.TryCreate(weights, isa, code) ?? Float(new DecodingKernel(weights), null, code),
    };

    private static WeightKernel Float(FloatPanelKernel plain, FloatStorage? storage, CodeCache? code) =>
        !Avx512Support.IsAvailable || code == null ? plain : new Avx512FloatKernel(plain, storage, code);
}
