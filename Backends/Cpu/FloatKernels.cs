using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>How eight neighbouring weights of a float type become float32.</summary>
internal unsafe interface IFloatLoad
{
    static abstract int Bytes { get; }

    static abstract Vector256<float> Load8(byte* at);

    static abstract float Load1(byte* at);
}

internal readonly unsafe struct F32Load : IFloatLoad
{
    public static int Bytes => 4;

    public static Vector256<float> Load8(byte* at) => Vector256.Load((float*)at);

    public static float Load1(byte* at) => *(float*)at;
}

internal readonly unsafe struct F16Load : IFloatLoad
{
    public static int Bytes => 2;

    public static Vector256<float> Load8(byte* at) => Halves.ToSingle(Vector128.Load((ushort*)at));

    public static float Load1(byte* at) => Halves.ToSingle(at);
}

internal readonly unsafe struct BF16Load : IFloatLoad
{
    public static int Bytes => 2;

    public static Vector256<float> Load8(byte* at)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load((ushort*)at));
        return (Vector256.Create(low, high) << 16).AsSingle();
    }

    public static float Load1(byte* at) => BitConverter.Int32BitsToSingle(*(ushort*)at << 16);
}

/// <summary>Weights of a float type against float32 activations.</summary>
internal sealed unsafe class FloatKernel<TLoad>(TensorView weights) : FloatPanelKernel(weights) where TLoad : struct, IFloatLoad
{
    public override void Dot(int begin, int count, in LinearInput x, int row, float* y, byte* scratch)
    {
        float* values = x.Values.Row(row);
        for (int i = 0; i < count; i++) y[i] = Dot(Address + (begin + i) * RowBytes, values, Columns);
    }

    protected override float* Row(int row, float* scratch)
    {
        byte* from = Address + row * RowBytes;
        int i = 0;
        for (; i + 8 <= Columns; i += 8) TLoad.Load8(from + i * TLoad.Bytes).Store(scratch + i);
        for (; i < Columns; i++) scratch[i] = TLoad.Load1(from + i * TLoad.Bytes);
        return scratch;
    }

    /// <summary>Four partial sums of eight lanes.</summary>
    private static float Dot(byte* w, float* x, int count)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i + 32 <= count; i += 32)
        {
            a = Vector256.FusedMultiplyAdd(TLoad.Load8(w + i * TLoad.Bytes), Vector256.Load(x + i), a);
            b = Vector256.FusedMultiplyAdd(TLoad.Load8(w + (i + 8) * TLoad.Bytes), Vector256.Load(x + i + 8), b);
            c = Vector256.FusedMultiplyAdd(TLoad.Load8(w + (i + 16) * TLoad.Bytes), Vector256.Load(x + i + 16), c);
            d = Vector256.FusedMultiplyAdd(TLoad.Load8(w + (i + 24) * TLoad.Bytes), Vector256.Load(x + i + 24), d);
        }
        float sum = Vector256.Sum(a + b + (c + d));
        for (; i < count; i++) sum += TLoad.Load1(w + i * TLoad.Bytes) * x[i];
        return sum;
    }
}

/// <summary>Weights of any other type, decoded a row at a time: what makes a new type run before it has a kernel of its own.</summary>
internal sealed unsafe class DecodingKernel(TensorView weights) : FloatPanelKernel(weights)
{
    public override void Dot(int begin, int count, in LinearInput x, int row, float* y, byte* scratch)
    {
        float* values = x.Values.Row(row);
        for (int i = 0; i < count; i++)
        {
            float* w = Row(begin + i, (float*)scratch);
            Vector256<float> sum = default;
            int k = 0;
            for (; k + 8 <= Columns; k += 8) sum = Vector256.FusedMultiplyAdd(Vector256.Load(w + k), Vector256.Load(values + k), sum);
            y[i] = Vector256.Sum(sum);
            for (; k < Columns; k++) y[i] += w[k] * values[k];
        }
    }

    protected override float* Row(int row, float* scratch)
    {
        Weights.DecodeRow(row, new Span<float>(scratch, Columns));
        return scratch;
    }
}

/// <summary>The matrix–matrix part that float kernels share: sixteen weight rows are laid out as [columns, 16], then multiplied by six activation rows at a time.</summary>
internal abstract unsafe class FloatPanelKernel(TensorView weights) : WeightKernel(weights)
{
    private const int Tile = 6;

    public sealed override bool ReadsQuantized => false;

    public sealed override long ScratchBytes => (long)Columns * (PanelRows + 1) * sizeof(float) + 64;

    public sealed override void Multiply(int begin, int count, in LinearInput x, int rows, byte* scratch, in Epilogue store)
    {
        float* panel = (float*)scratch;
        Pack(begin, count, panel, panel + (long)Columns * PanelRows);
        float* tile = stackalloc float[Tile * PanelRows];
        int t = 0;
        for (; t + Tile <= rows; t += Tile)
        {
            MultiplyTile(panel, x.Values.Row(t), x.Values.Stride, Columns, tile);
            for (int r = 0; r < Tile; r++) store.Row(t + r, begin, count, tile + r * PanelRows);
        }
        for (; t < rows; t++)
        {
            MultiplyRow(panel, x.Values.Row(t), Columns, tile);
            store.Row(t, begin, count, tile);
        }
    }

    /// <summary>One weight row in float32; may return <paramref name="scratch"/>.</summary>
    protected abstract float* Row(int row, float* scratch);

    private void Pack(int begin, int count, float* panel, float* scratch)
    {
        for (int i = 0; i < PanelRows; i++)
        {
            // Rows past the end repeat the last one; their products are not stored.
            float* row = Row(begin + Math.Min(i, count - 1), scratch), to = panel + i;
            for (int k = 0; k < Columns; k++) to[(long)k * PanelRows] = row[k];
        }
    }

    /// <summary>Six activation rows by sixteen weight rows: twelve sums in registers. Lanes are weight rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyTile(float* panel, float* x, int stride, int columns, float* tile)
    {
        Vector256<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default;
        Vector256<float> d0 = default, d1 = default, e0 = default, e1 = default, f0 = default, f1 = default;
        float* xa = x, xb = xa + stride, xc = xb + stride, xd = xc + stride, xe = xd + stride, xf = xe + stride;
        for (int k = 0; k < columns; k++, panel += PanelRows)
        {
            Vector256<float> w0 = Vector256.LoadAligned(panel), w1 = Vector256.LoadAligned(panel + 8);
            Vector256<float> v = Vector256.Create(xa[k]);
            a0 = Vector256.FusedMultiplyAdd(v, w0, a0);
            a1 = Vector256.FusedMultiplyAdd(v, w1, a1);
            v = Vector256.Create(xb[k]);
            b0 = Vector256.FusedMultiplyAdd(v, w0, b0);
            b1 = Vector256.FusedMultiplyAdd(v, w1, b1);
            v = Vector256.Create(xc[k]);
            c0 = Vector256.FusedMultiplyAdd(v, w0, c0);
            c1 = Vector256.FusedMultiplyAdd(v, w1, c1);
            v = Vector256.Create(xd[k]);
            d0 = Vector256.FusedMultiplyAdd(v, w0, d0);
            d1 = Vector256.FusedMultiplyAdd(v, w1, d1);
            v = Vector256.Create(xe[k]);
            e0 = Vector256.FusedMultiplyAdd(v, w0, e0);
            e1 = Vector256.FusedMultiplyAdd(v, w1, e1);
            v = Vector256.Create(xf[k]);
            f0 = Vector256.FusedMultiplyAdd(v, w0, f0);
            f1 = Vector256.FusedMultiplyAdd(v, w1, f1);
        }
        a0.Store(tile);
        a1.Store(tile + 8);
        b0.Store(tile + 16);
        b1.Store(tile + 24);
        c0.Store(tile + 32);
        c1.Store(tile + 40);
        d0.Store(tile + 48);
        d1.Store(tile + 56);
        e0.Store(tile + 64);
        e1.Store(tile + 72);
        f0.Store(tile + 80);
        f1.Store(tile + 88);
    }

    /// <summary>One activation row, with the additions in the order of <see cref="MultiplyTile"/>.</summary>
    private static void MultiplyRow(float* panel, float* x, int columns, float* tile)
    {
        Vector256<float> a0 = default, a1 = default;
        for (int k = 0; k < columns; k++, panel += PanelRows)
        {
            Vector256<float> v = Vector256.Create(x[k]);
            a0 = Vector256.FusedMultiplyAdd(v, Vector256.LoadAligned(panel), a0);
            a1 = Vector256.FusedMultiplyAdd(v, Vector256.LoadAligned(panel + 8), a1);
        }
        a0.Store(tile);
        a1.Store(tile + 8);
    }
}
