using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Quantized weights against 8-bit activations, one row at a time: integer products within a group, float32 across groups.</summary>
internal sealed unsafe class Int8Kernel<TBlock, TDot>(TensorView weights, Staging? staging = null) : WeightKernel(weights)
    where TBlock : struct, IInt8Block where TDot : struct, IInt8Dot
{
    /// <summary>Two pages: from 1 KiB on farther was faster, up to here (mamba-1.4b Q8_0, one thread: 27, 31, 34 GB/s at 1, 4, 8 KiB).</summary>
    private const int AheadBytes = 8192;

    private readonly BlockRows _blocks = new(weights, staging);
    private readonly long _panelBytes = (Int8Panel<TBlock, TDot>.Bytes(weights.Columns) + 63) / 64 * 64;

    public override bool ReadsQuantized => true;

    public override long ScratchBytes => _panelBytes + _blocks.ScratchBytes;

    /// <summary>Laying rows out is read-ahead, unpacking and one pass for all activation rows: it pays from the second on.</summary>
    public override int RowsForPanels => 2;

    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch)
    {
        int together = _blocks.Together;
        for (int first = 0; first < count; first += together)
        {
            int last = Math.Min(first + together, count);
            byte* blocks = _blocks.Take(begin + first, last - first, scratch);
            for (int t = 0; t < rows; t++)
            {
                QuantizedRow q = x.Quantized!.Row(t);   // ReadsQuantized: the compiler gave it
                byte* row = blocks;
                for (int i = first; i < last; i++, row += _blocks.Stride) y[t * count + i] = TBlock.Length == 32 ? Dot32(row, q) : Dot256(row, q);
            }
        }
    }

    public override void Multiply(int begin, int count, in LinearInput x, int from, int to, byte* scratch, in Epilogue store)
    {
        var panel = new Int8Panel<TBlock, TDot>(scratch, Columns);
        panel.Pack(_blocks.Take(begin, count, scratch + _panelBytes), _blocks.Stride, count, ahead: _blocks.Staged ? 0 : PanelRows * Stride);
        float* tile = stackalloc float[Int8Panel<TBlock, TDot>.Tile * PanelRows];
        for (int t = from; t < to; t += Int8Panel<TBlock, TDot>.Tile)
        {
            int height = Math.Min(Int8Panel<TBlock, TDot>.Tile, to - t);
            panel.Multiply(x.Quantized!, t, height, tile);
            for (int r = 0; r < height; r++) store.Row(t + r, begin, count, tile + r * PanelRows);
        }
    }

    /// <summary>Blocks of 32 with a half scale first and, with an offset, a half offset second. Eight blocks at a time, in two sums.</summary>
    private float Dot32(byte* block, in QuantizedRow x)
    {
        float* combined = stackalloc float[8];
        Vector256<float> even = default, odd = default, zeros = default, offsets = default;
        int count = Columns / 32, i = 0;
        for (; i + 8 <= count; i += 8, block += 8 * TBlock.Bytes)
        {
            Ahead(block, 8 * TBlock.Bytes);
            // The conversion of a half is ten instructions: the eight scales are converted together.
            Vector256<float> scales = Halves.ToSingle(Gather(block));
            (scales * Vector256.Load(x.Scales + i)).Store(combined);
            if (TBlock.Zero != 0) zeros = Vector256.FusedMultiplyAdd(scales, Vector256.Load(x.Sums32 + i), zeros);
            if (TBlock.HasOffset) offsets = Vector256.FusedMultiplyAdd(Halves.ToSingle(Gather(block + 2)), Vector256.Load(x.Sums32 + i), offsets);
            sbyte* values = x.Values + 32 * i;
            even = Block(block, 0, values, combined, even);
            odd = Block(block, 1, values, combined, odd);
            even = Block(block, 2, values, combined, even);
            odd = Block(block, 3, values, combined, odd);
            even = Block(block, 4, values, combined, even);
            odd = Block(block, 5, values, combined, odd);
            even = Block(block, 6, values, combined, even);
            odd = Block(block, 7, values, combined, odd);
        }
        float sum = Vector256.Sum(even + odd) + Vector256.Sum(offsets) - TBlock.Zero * Vector256.Sum(zeros);
        for (; i < count; i++, block += TBlock.Bytes)
        {
            float scale = Halves.ToSingle(block), offset = TBlock.HasOffset ? Halves.ToSingle(block + 2) : 0;
            sum += scale * x.Scales[i] * Vector256.Sum(Products(TBlock.Load(block, 0), x.Values + 32 * i)) + (offset - TBlock.Zero * scale) * x.Sums32[i];
        }
        return sum;
    }

    /// <summary>Asks for the lines that lie two pages ahead: the machine's own foresight ends at the page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ahead(byte* at, int bytes)
    {
        if (!Sse.IsSupported) return;
        for (int line = 0; line < bytes; line += 64) Sse.Prefetch0(at + AheadBytes + line);
    }

    /// <summary>The halves at the head of eight blocks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Gather(byte* at) => Vector128.Create(
        Half(at), Half(at + TBlock.Bytes), Half(at + 2 * TBlock.Bytes), Half(at + 3 * TBlock.Bytes),
        Half(at + 4 * TBlock.Bytes), Half(at + 5 * TBlock.Bytes), Half(at + 6 * TBlock.Bytes), Half(at + 7 * TBlock.Bytes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort Half(byte* at) => Unsafe.ReadUnaligned<ushort>(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Block(byte* block, int j, sbyte* values, float* combined, Vector256<float> sum) =>
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(Products(TBlock.Load(block + j * TBlock.Bytes, 0), values + 32 * j)), Vector256.Create(combined[j]), sum);

    /// <summary>Blocks of 256: eight parts of 32, in two sums.</summary>
    private float Dot256(byte* block, QuantizedRow x)
    {
        float* scales = stackalloc float[40], offsets = scales + 16, combined = scales + 32;
        Vector256<float> even = default, odd = default, low = default, high = default;
        int whole = Columns / 256 * 256;
        for (int at = 0; at < whole; at += 256, block += TBlock.Bytes)
        {
            if (!_blocks.Staged) Ahead(block, TBlock.Bytes);
            TBlock.Scales(block, scales, offsets);
            int i = at / 32;
            if (TBlock.Zero != 0 || TBlock.HasOffset)
            {
                low = Vector256.FusedMultiplyAdd(Offset(scales, offsets), Vector256.Load((TBlock.Group == 32 ? x.Sums32 + i : x.Sums16 + 2 * i)), low);
                if (TBlock.Group == 16)
                    high = Vector256.FusedMultiplyAdd(Offset(scales + 8, offsets + 8), Vector256.Load(x.Sums16 + 2 * i + 8), high);
            }
            if (TBlock.Group == 32) (Vector256.Load(scales) * Vector256.Load(x.Scales + i)).Store(combined);
            sbyte* values = x.Values + at;
            even = Part(block, 0, values, scales, combined, x.Scales + i, even);
            odd = Part(block, 1, values, scales, combined, x.Scales + i, odd);
            even = Part(block, 2, values, scales, combined, x.Scales + i, even);
            odd = Part(block, 3, values, scales, combined, x.Scales + i, odd);
            even = Part(block, 4, values, scales, combined, x.Scales + i, even);
            odd = Part(block, 5, values, scales, combined, x.Scales + i, odd);
            even = Part(block, 6, values, scales, combined, x.Scales + i, even);
            odd = Part(block, 7, values, scales, combined, x.Scales + i, odd);
        }
        if (TBlock.EndsEarly && whole < Columns)
        {
            TBlock.Scales(block, scales, offsets);
            for (int part = 0; part < (Columns - whole) / 32; part++) even = Part(block, part, x.Values + whole, scales, combined, x.Scales + whole / 32, even);
        }
        return Vector256.Sum(even + odd + (low + high));
    }

    /// <summary>Products of part <paramref name="j"/> (a constant where it is called, so that its shifts are too), scaled and added.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Part(byte* block, int j, sbyte* values, float* scales, float* combined, float* xScales, Vector256<float> sum)
    {
        Vector256<float> products = Vector256.ConvertToSingle(Products(TBlock.Load(block, j), values + 32 * j));
        // Lanes 0 to 3 sum the first sixteen columns, 4 to 7 the others.
        Vector256<float> scale = TBlock.Group == 32 ? Vector256.Create(combined[j])
            : Vector256.Create(Vector128.Create(scales[2 * j]), Vector128.Create(scales[2 * j + 1])) * Vector256.Create(xScales[j]);
        return Vector256.FusedMultiplyAdd(products, scale, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Products(Vector256<byte> w, sbyte* x) => TBlock.Signed
        ? TDot.AddSigned(Vector256<int>.Zero, w.AsSByte(), Vector256.Load(x))
        : TDot.AddUnsigned(Vector256<int>.Zero, w, Vector256.Load(x));

    /// <summary>What eight groups add per unit of their activations' sum: offset − Zero·scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Offset(float* scales, float* offsets)
    {
        Vector256<float> offset = TBlock.HasOffset ? Vector256.Load(offsets) : default;
        return TBlock.Zero == 0 ? offset : Vector256.FusedMultiplyAdd(Vector256.Load(scales), Vector256.Create(-(float)TBlock.Zero), offset);
    }
}
