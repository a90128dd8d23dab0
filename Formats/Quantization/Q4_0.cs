using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>32 values of four bits with one scale: (q - 8) * d.</summary>
/// <remarks>18 bytes. Fields in file order; ggml's block_q4_0.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q4_0Block : IBlockEncoder<Q4_0Block>, ISearchedBlock<Q4_0Block>
{
    /// <summary>Scale.</summary>
    public Half d;

    /// <summary>Two values a byte: value k in the low half of byte k, value k + 16 in the high half.</summary>
    public Array16<byte> qs;

    /// <inheritdoc/>
    public static string Name => "Q4_0";

    /// <inheritdoc/>
    public static int GgufId => 2;

    /// <inheritdoc/>
    public static int Length => 32;

    /// <inheritdoc/>
    public static bool IsFinite(in Q4_0Block block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in Q4_0Block block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs;
        Span<float> low = values[..16], high = values.Slice(16, 16);
        for (int k = 0; k < 16; k++)
        {
            low[k] = ((qs[k] & 15) - 8) * d;
            high[k] = ((qs[k] >> 4) - 8) * d;
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q4_0Block block)
    {
        block = default;
        SearchedBlocks.Encode(values, importance, new Span<Q4_0Block>(ref block));
    }

    /// <inheritdoc/>
    public static void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<Q4_0Block> blocks) => SearchedBlocks.Encode(values, importance, blocks);

    static void ISearchedBlock<Q4_0Block>.Search(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> scales, Span<float> offsets) =>
        ScaleSearch.Scales<Signed4>(x, w, scales);

    static void ISearchedBlock<Q4_0Block>.Store(ReadOnlySpan<float> x, float scale, float offset, Span<byte> q, ref Q4_0Block block)
    {
        block.d = (Half)scale;
        ScaleSearch.Quantize(x, (float)block.d, 0, -8, 7, q);
        Nibbles.Pack(q, block.qs);
    }
}
