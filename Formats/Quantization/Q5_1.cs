using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>32 values of five bits with a scale and a minimum: q * d + m.</summary>
/// <remarks>24 bytes. Fields in file order; ggml's block_q5_1.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q5_1Block : IBlockEncoder<Q5_1Block>, ISearchedBlock<Q5_1Block>
{
    /// <summary>Scale.</summary>
    public Half d;

    /// <summary>Minimum, added to every value.</summary>
    public Half m;

    /// <summary>The fifth bits: bit i belongs to value i.</summary>
    public uint h;

    /// <summary>The low four bits, two values a byte: value k in the low half of byte k, value k + 16 in the high half.</summary>
    public Array16<byte> qs;

    /// <inheritdoc/>
    public static string Name => "Q5_1";

    /// <inheritdoc/>
    public static int GgufId => 7;

    /// <inheritdoc/>
    public static int Length => 32;

    /// <inheritdoc/>
    public static bool IsFinite(in Q5_1Block block) => Half.IsFinite(block.d) & Half.IsFinite(block.m);

    /// <inheritdoc/>
    public static void Decode(in Q5_1Block block, Span<float> values)
    {
        float d = (float)block.d, m = (float)block.m;
        uint h = block.h;
        ReadOnlySpan<byte> qs = block.qs;
        Span<float> low = values[..16], high = values.Slice(16, 16);
        for (int k = 0; k < 16; k++)
        {
            low[k] = (qs[k] & 15 | (int)(h >> k & 1) << 4) * d + m;
            high[k] = (qs[k] >> 4 | (int)(h >> k + 16 & 1) << 4) * d + m;
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q5_1Block block)
    {
        block = default;
        SearchedBlocks.Encode(values, importance, new Span<Q5_1Block>(ref block));
    }

    /// <inheritdoc/>
    public static void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<Q5_1Block> blocks) => SearchedBlocks.Encode(values, importance, blocks);

    static void ISearchedBlock<Q5_1Block>.Search(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> scales, Span<float> offsets) =>
        ScaleSearch.ScalesAndOffsets(x, w, 31, offsetAtMostZero: false, scales, offsets);

    static void ISearchedBlock<Q5_1Block>.Store(ReadOnlySpan<float> x, float scale, float offset, Span<byte> q, ref Q5_1Block block)
    {
        (block.d, block.m) = ((Half)scale, (Half)offset);
        ScaleSearch.Quantize(x, (float)block.d, (float)block.m, 0, 31, q);
        Nibbles.Pack(q, block.qs);
        block.h = Nibbles.FifthBits(q);
    }
}
