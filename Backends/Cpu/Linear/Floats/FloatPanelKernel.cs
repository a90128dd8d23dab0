using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

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

    public sealed override void Multiply(int begin, int count, in LinearInput x, int from, int to, byte* scratch, in Epilogue store)
    {
        float* panel = (float*)scratch;
        Pack(begin, count, panel, panel + (long)Columns * PanelRows);
        float* tile = stackalloc float[Tile * PanelRows];
        for (int t = from; t < to; t += Tile)
        {
            int height = Math.Min(Tile, to - t);
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
