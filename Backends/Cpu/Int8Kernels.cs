using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>The quantized types that run on integer dot products.</summary>
internal static class Int8Kernels
{
    /// <summary>The kernel of a type, or null when it has none.</summary>
    public static WeightKernel? TryCreate(TensorView weights) => weights.Type.Name switch
    {
        "Q8_0" => new Q8_0Kernel(weights),
        "Q4_0" => new Int8Kernel<Q4_0Int8>(weights),
        "Q4_1" => new Int8Kernel<Q4_1Int8>(weights),
        "Q5_0" => new Int8Kernel<Q5_0Int8>(weights),
        "Q5_1" => new Int8Kernel<Q5_1Int8>(weights),
        "Q2_K" => new Int8Kernel<Q2_KInt8>(weights),
        "Q3_K" => new Int8Kernel<Q3_KInt8>(weights),
        "Q4_K" => new Int8Kernel<Q4_KInt8>(weights),
        "Q5_K" => new Int8Kernel<Q5_KInt8>(weights),
        "Q6_K" => new Int8Kernel<Q6_KInt8>(weights),
        "IQ4_NL" => new Int8Kernel<IQ4_NLInt8>(weights),
        "IQ4_XS" => new Int8Kernel<IQ4_XSInt8>(weights),
        _ => null,
    };
}

/// <summary>Q8_0 needs no unpacking: its dot product reads the blocks where they lie.</summary>
internal sealed unsafe class Q8_0Kernel(TensorView weights) : Int8Kernel<Q8_0Int8>(weights)
{
    protected override float Dot(byte* blocks, sbyte* x, float* scales, float* sums)
    {
        Vector256<float> even = default, odd = default;
        int count = Columns / 32, i = 0;
        for (; i + 2 <= count; i += 2)
        {
            even = Vector256.FusedMultiplyAdd(Block(blocks, x), Vector256.Create(Halves.ToSingle(blocks) * scales[i]), even);
            odd = Vector256.FusedMultiplyAdd(Block(blocks + 34, x + 32), Vector256.Create(Halves.ToSingle(blocks + 34) * scales[i + 1]), odd);
            blocks += 68;
            x += 64;
        }
        if (i < count) even = Vector256.FusedMultiplyAdd(Block(blocks, x), Vector256.Create(Halves.ToSingle(blocks) * scales[i]), even);
        return Vector256.Sum(even + odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Block(byte* block, sbyte* x) =>
        Vector256.ConvertToSingle(Int8Dot.Add32(Vector256<int>.Zero, Vector256.Load((sbyte*)block + 2), Vector256.Load(x)));
}

/// <summary>Quantized weights against 8-bit activations: integer products within a group, float32 across groups.</summary>
internal unsafe class Int8Kernel<TBlock>(TensorView weights) : WeightKernel(weights) where TBlock : struct, IInt8Block
{
    private const int Tile = 4;

    public override bool ReadsQuantized => true;

    /// <summary>A panel: 16 rows of bytes, and per group and row a correction, a scale and an offset.</summary>
    public override long ScratchBytes => (long)Columns * PanelRows + 3L * (Columns / TBlock.Group) * PanelRows * sizeof(float) + 64;

    public override void Dot(int begin, int count, in LinearInput x, int row, float* y, byte* scratch)
    {
        QuantizedRows q = x.Quantized!;   // ReadsQuantized: the compiler gave it
        for (int i = 0; i < count; i++) y[i] = Dot(Address + (begin + i) * RowBytes, q.Values(row), q.Scales(row), q.Sums(row));
    }

    public override void Multiply(int begin, int count, in LinearInput x, int rows, byte* scratch, in Epilogue store)
    {
        sbyte* panel = (sbyte*)scratch;
        float* scales = (float*)(panel + (long)Columns * PanelRows);
        float* offsets = scales + (long)(Columns / TBlock.Group) * PanelRows;
        int* corrections = (int*)(offsets + (long)(Columns / TBlock.Group) * PanelRows);
        Pack(begin, count, panel, scales, offsets, corrections);
        float* tile = stackalloc float[Tile * PanelRows];
        for (int t = 0; t < rows; t += Tile)
        {
            int height = Math.Min(Tile, rows - t);
            MultiplyTile(panel, scales, offsets, corrections, x.Quantized!, t, height, tile);
            for (int r = 0; r < height; r++) store.Row(t + r, begin, count, tile + r * PanelRows);
        }
    }

    /// <summary>One weight row by one activation row: blocks are unpacked in the first-level cache.</summary>
    protected virtual float Dot(byte* blocks, sbyte* x, float* scales, float* sums)
    {
        sbyte* q = stackalloc sbyte[256];
        float* own = stackalloc float[32], offsets = own + 16;
        Vector256<float> acc = default;
        float offset = 0;
        for (int at = 0; at < Columns; at += TBlock.Length, blocks += TBlock.Bytes)
        {
            TBlock.Unpack(blocks, q, own, offsets);
            for (int k = 0; k < TBlock.Length; k += 32)
            {
                float scale = scales[(at + k) / 32];
                Vector256<sbyte> w = Vector256.Load(q + k), v = Vector256.Load(x + at + k);
                // Lanes 0 to 3 sum the first sixteen columns, 4 to 7 the others.
                Vector256<float> s = TBlock.Group == 32 ? Vector256.Create(own[k / 32] * scale)
                    : Vector256.Create(Vector128.Create(own[k / 16] * scale), Vector128.Create(own[k / 16 + 1] * scale));
                acc = Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(Int8Dot.Add32(Vector256<int>.Zero, w, v)), s, acc);
                if (!TBlock.HasOffset) continue;
                if (TBlock.Group == 32) offset += offsets[k / 32] * (sums[(at + k) / 16] + sums[(at + k) / 16 + 1]);
                else offset += offsets[k / 16] * sums[(at + k) / 16] + offsets[k / 16 + 1] * sums[(at + k) / 16 + 1];
            }
        }
        return Vector256.Sum(acc) + offset;
    }

    /// <summary>
    /// Lays sixteen rows out as [columns / 4, 16, 4]: one vector holds four neighbouring columns of eight rows, so that a lane of the product is a row.
    /// The correction of a group is −128·Σq: activations go in as unsigned bytes, 128 too high.
    /// </summary>
    private void Pack(int begin, int count, sbyte* panel, float* scales, float* offsets, int* corrections)
    {
        sbyte* q = stackalloc sbyte[256];
        float* own = stackalloc float[32], add = own + 16;
        int groups = TBlock.Length / TBlock.Group;
        for (int r = 0; r < PanelRows; r++)
        {
            // Rows past the end repeat the last one; their products are not stored.
            byte* block = Address + (begin + Math.Min(r, count - 1)) * RowBytes;
            for (int at = 0; at < Columns; at += TBlock.Length, block += TBlock.Bytes)
            {
                TBlock.Unpack(block, q, own, add);
                int* to = (int*)panel + (long)at / 4 * PanelRows + r;
                for (int k = 0; k < TBlock.Length / 4; k++) to[k * PanelRows] = ((int*)q)[k];
                for (int g = 0; g < groups; g++)
                {
                    long index = (long)(at / TBlock.Group + g) * PanelRows + r;
                    scales[index] = own[g];
                    if (TBlock.HasOffset) offsets[index] = add[g];
                    corrections[index] = -128 * Sum(q + g * TBlock.Group);
                }
            }
        }
    }

    private static int Sum(sbyte* q)
    {
        int sum = 0;
        for (int i = 0; i < TBlock.Group; i++) sum += q[i];
        return sum;
    }

    /// <summary>Up to four activation rows by sixteen weight rows. Lanes are weight rows; sums of a group are exact ints.</summary>
    private void MultiplyTile(sbyte* panel, float* scales, float* offsets, int* corrections, QuantizedRows x, int row, int height, float* tile)
    {
        // A short tile repeats its last row; the repeats are not stored.
        int r1 = row + Math.Min(1, height - 1), r2 = row + Math.Min(2, height - 1), r3 = row + Math.Min(3, height - 1);
        int* x0 = (int*)x.Values(row), x1 = (int*)x.Values(r1), x2 = (int*)x.Values(r2), x3 = (int*)x.Values(r3);
        new Span<float>(tile, Tile * PanelRows).Clear();
        int groups = Columns / TBlock.Group;
        for (int g = 0; g < groups; g++)
        {
            Vector256<int> a0, a1, b0, b1, c0, c1, d0, d1;
            if (AvxVnni.IsSupported)
            {
                a0 = b0 = c0 = d0 = Vector256.Load(corrections);
                a1 = b1 = c1 = d1 = Vector256.Load(corrections + 8);
            }
            else a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = default;
            for (int k = 0; k < TBlock.Group / 4; k++, panel += 64, x0++, x1++, x2++, x3++)
            {
                Vector256<sbyte> w0 = Vector256.Load(panel), w1 = Vector256.Load(panel + 32);
                Vector256<sbyte> v = Vector256.Create(*x0).AsSByte();
                a0 = Add4(a0, w0, v);
                a1 = Add4(a1, w1, v);
                v = Vector256.Create(*x1).AsSByte();
                b0 = Add4(b0, w0, v);
                b1 = Add4(b1, w1, v);
                v = Vector256.Create(*x2).AsSByte();
                c0 = Add4(c0, w0, v);
                c1 = Add4(c1, w1, v);
                v = Vector256.Create(*x3).AsSByte();
                d0 = Add4(d0, w0, v);
                d1 = Add4(d1, w1, v);
            }
            Vector256<float> s0 = Vector256.Load(scales), s1 = Vector256.Load(scales + 8);
            int block = g * TBlock.Group / 32;
            Flush(tile, a0, a1, s0, s1, x.Scales(row)[block]);
            Flush(tile + 16, b0, b1, s0, s1, x.Scales(r1)[block]);
            Flush(tile + 32, c0, c1, s0, s1, x.Scales(r2)[block]);
            Flush(tile + 48, d0, d1, s0, s1, x.Scales(r3)[block]);
            if (TBlock.HasOffset)
            {
                Vector256<float> o0 = Vector256.Load(offsets), o1 = Vector256.Load(offsets + 8);
                Offset(tile, o0, o1, GroupSum(x.Sums(row), g));
                Offset(tile + 16, o0, o1, GroupSum(x.Sums(r1), g));
                Offset(tile + 32, o0, o1, GroupSum(x.Sums(r2), g));
                Offset(tile + 48, o0, o1, GroupSum(x.Sums(r3), g));
            }
            scales += PanelRows;
            offsets += PanelRows;
            corrections += PanelRows;
        }
    }

    /// <summary>Four columns of eight weight rows by the same four columns of an activation row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Add4(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x)
    {
        if (AvxVnni.IsSupported) return AvxVnni.MultiplyWideningAndAdd(sum, (x ^ Vector256.Create(sbyte.MinValue)).AsByte(), w);
        return Int8Dot.Add32(sum, w, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Flush(float* tile, Vector256<int> low, Vector256<int> high, Vector256<float> s0, Vector256<float> s1, float scale)
    {
        Vector256<float> s = Vector256.Create(scale);
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(low), s0 * s, Vector256.Load(tile)).Store(tile);
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(high), s1 * s, Vector256.Load(tile + 8)).Store(tile + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Offset(float* tile, Vector256<float> o0, Vector256<float> o1, float sum)
    {
        Vector256<float> s = Vector256.Create(sum);
        Vector256.FusedMultiplyAdd(o0, s, Vector256.Load(tile)).Store(tile);
        Vector256.FusedMultiplyAdd(o1, s, Vector256.Load(tile + 8)).Store(tile + 8);
    }

    /// <summary>scale·Σq of an activation row over weight group <paramref name="g"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float GroupSum(float* sums, int g) => TBlock.Group == 16 ? sums[g] : sums[2 * g] + sums[2 * g + 1];
}
