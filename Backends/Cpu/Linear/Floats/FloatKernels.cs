using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
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

    public static Vector256<float> Load8(byte* at) => Halves.ToSingle8(at);

    public static float Load1(byte* at) => Halves.ToSingle(at);
}

internal readonly unsafe struct BF16Load : IFloatLoad
{
    public static int Bytes => 2;

    public static Vector256<float> Load8(byte* at)
    {
        if (Avx2.IsSupported) return (Avx2.ConvertToVector256Int32((ushort*)at) << 16).AsSingle();
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load((ushort*)at));
        return (Vector256.Create(low, high) << 16).AsSingle();
    }

    public static float Load1(byte* at) => BitConverter.Int32BitsToSingle(*(ushort*)at << 16);
}

/// <summary>Weights of a float type against float32 activations.</summary>
internal sealed unsafe class FloatKernel<TLoad>(TensorView weights) : FloatPanelKernel(weights) where TLoad : struct, IFloatLoad
{
    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch)
    {
        for (int i = 0; i < count; i++)
        {
            byte* w = Address + (begin + i) * RowBytes;
            if (rows == 1) y[i] = Dot(w, x.Values.Row(0), Columns);
            for (int t = 0; t < rows && rows > 1; t += 4) DotFour(w, x.Values, t, Math.Min(4, rows - t), Columns, y + t * count + i, count);
        }
    }

    protected override float* Row(int row, float* scratch)
    {
        byte* from = Address + row * RowBytes;
        int i = 0;
        for (; i + 8 <= Columns; i += 8) TLoad.Load8(from + i * TLoad.Bytes).Store(scratch + i);
        for (; i < Columns; i++) scratch[i] = TLoad.Load1(from + i * TLoad.Bytes);
        return scratch;
    }

    /// <summary>Up to four activation rows, so that weights are converted once for them; y[r·stride] for row r.</summary>
    private static void DotFour(byte* w, in Matrix x, int row, int height, int count, float* y, int stride)
    {
        float* xa = x.Row(row), xb = x.Row(row + Math.Min(1, height - 1)), xc = x.Row(row + Math.Min(2, height - 1)), xd = x.Row(row + Math.Min(3, height - 1));
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> v = TLoad.Load8(w + i * TLoad.Bytes);
            a = Vector256.FusedMultiplyAdd(v, Vector256.Load(xa + i), a);
            b = Vector256.FusedMultiplyAdd(v, Vector256.Load(xb + i), b);
            c = Vector256.FusedMultiplyAdd(v, Vector256.Load(xc + i), c);
            d = Vector256.FusedMultiplyAdd(v, Vector256.Load(xd + i), d);
        }
        float* sums = stackalloc float[4] { Vector256.Sum(a), Vector256.Sum(b), Vector256.Sum(c), Vector256.Sum(d) };
        for (; i < count; i++)
        {
            float v = TLoad.Load1(w + i * TLoad.Bytes);
            sums[0] += v * xa[i];
            sums[1] += v * xb[i];
            sums[2] += v * xc[i];
            sums[3] += v * xd[i];
        }
        for (int r = 0; r < height; r++) y[r * stride] = sums[r];
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
    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch)
    {
        for (int i = 0; i < count; i++)
        {
            float* w = Row(begin + i, (float*)scratch);
            for (int t = 0; t < rows; t++)
            {
                float* values = x.Values.Row(t);
                Vector256<float> lanes = default;
                int k = 0;
                for (; k + 8 <= Columns; k += 8) lanes = Vector256.FusedMultiplyAdd(Vector256.Load(w + k), Vector256.Load(values + k), lanes);
                float sum = Vector256.Sum(lanes);
                for (; k < Columns; k++) sum += w[k] * values[k];
                y[t * count + i] = sum;
            }
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

    /// <summary>Bytes of a panel.</summary>
    public long PanelBytes => (long)Columns * PanelRows * sizeof(float);

    public sealed override bool ReadsQuantized => false;

    /// <summary>A panel of floats is four or two times the weights it is made of, and written once before it is read.</summary>
    public sealed override int RowsForPanels => 9;

    public sealed override long ScratchBytes => (long)Columns * (PanelRows + 8) * sizeof(float) + 64;

    public sealed override void Multiply(int begin, int count, in LinearInput x, int rows, byte* scratch, in Epilogue store)
    {
        float* panel = (float*)scratch;
        Pack(begin, count, panel, panel + (long)Columns * PanelRows);
        float* tile = stackalloc float[Tile * PanelRows];
        for (int t = 0; t < rows; t += Tile)
        {
            int height = Math.Min(Tile, rows - t);
            MultiplyTile(panel, x.Values, t, height, Columns, tile);
            for (int r = 0; r < height; r++) store.Row(t + r, begin, count, tile + r * PanelRows);
        }
    }

    /// <summary>One weight row in float32; may return <paramref name="scratch"/>.</summary>
    protected abstract float* Row(int row, float* scratch);

    /// <summary>Lays out up to sixteen rows as [columns, 16].</summary>
    /// <param name="begin">The first row.</param>
    /// <param name="count">Rows there are; those past them repeat the last one.</param>
    /// <param name="panel">Where to.</param>
    /// <param name="scratch">Room for eight rows.</param>
    public void Pack(int begin, int count, float* panel, float* scratch)
    {
        float** rows = stackalloc float*[8];
        for (int half = 0; half < PanelRows; half += 8)
        {
            // Rows past the end repeat the last one; their products are not stored.
            for (int i = 0; i < 8; i++) rows[i] = Row(begin + Math.Min(half + i, count - 1), scratch + (long)i * Columns);
            int k = 0;
            for (; k + 8 <= Columns; k += 8)
                Transpose.Store(At(rows[0], k), At(rows[1], k), At(rows[2], k), At(rows[3], k), At(rows[4], k), At(rows[5], k), At(rows[6], k), At(rows[7], k),
                    (int*)panel + (long)k * PanelRows + half, PanelRows);
            for (; k < Columns; k++)
                for (int i = 0; i < 8; i++) panel[(long)k * PanelRows + half + i] = rows[i][k];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> At(float* row, int column) => Vector256.Load(row + column).AsInt32();

    /// <summary>Up to six activation rows by sixteen weight rows: twelve sums in registers. Lanes are weight rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyTile(float* panel, in Matrix x, int row, int height, int columns, float* tile)
    {
        Vector256<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default;
        Vector256<float> d0 = default, d1 = default, e0 = default, e1 = default, f0 = default, f1 = default;
        // A short tile repeats its last row; the repeats are not stored.
        int last = row + height - 1;
        float* xa = x.Row(row), xb = x.Row(Math.Min(row + 1, last)), xc = x.Row(Math.Min(row + 2, last));
        float* xd = x.Row(Math.Min(row + 3, last)), xe = x.Row(Math.Min(row + 4, last)), xf = x.Row(Math.Min(row + 5, last));
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
}
