using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>32 values of four bits with a scale and a minimum: q * d + m.</summary>
/// <remarks>20 bytes. Fields in file order; ggml's block_q4_1.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q4_1Block : IBlockEncoder<Q4_1Block>, ISearchedBlock<Q4_1Block>
{
    /// <summary>Scale.</summary>
    public Half d;

    /// <summary>Minimum, added to every value.</summary>
    public Half m;

    /// <summary>Two values a byte: value k in the low half of byte k, value k + 16 in the high half.</summary>
    public Array16<byte> qs;

    /// <inheritdoc/>
    public static string Name => "Q4_1";

    /// <inheritdoc/>
    public static int GgufId => 3;

    /// <inheritdoc/>
    public static int Length => 32;

    /// <inheritdoc/>
    public static bool IsFinite(in Q4_1Block block) => Half.IsFinite(block.d) & Half.IsFinite(block.m);

    /// <inheritdoc/>
    public static void Decode(in Q4_1Block block, Span<float> values)
    {
        float d = (float)block.d, m = (float)block.m;
        ReadOnlySpan<byte> qs = block.qs;
        Span<float> low = values[..16], high = values.Slice(16, 16);
        for (int k = 0; k < 16; k++)
        {
            low[k] = (qs[k] & 15) * d + m;
            high[k] = (qs[k] >> 4) * d + m;
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q4_1Block block)
    {
        block = default;
        SearchedBlocks.Encode(values, importance, new Span<Q4_1Block>(ref block));
    }

    /// <inheritdoc/>
    public static void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<Q4_1Block> blocks) => SearchedBlocks.Encode(values, importance, blocks);

    static void ISearchedBlock<Q4_1Block>.Search(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> scales, Span<float> offsets) =>
        ScaleSearch.ScalesAndOffsets(x, w, 15, offsetAtMostZero: false, scales, offsets);

    static void ISearchedBlock<Q4_1Block>.Store(ReadOnlySpan<float> x, float scale, float offset, Span<byte> q, ref Q4_1Block block)
    {
        (block.d, block.m) = ((Half)scale, (Half)offset);
        ScaleSearch.Quantize(x, (float)block.d, (float)block.m, 0, 15, q);
        Nibbles.Pack(q, block.qs);
    }
}
