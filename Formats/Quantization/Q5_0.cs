using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>32 values of five bits with one scale: (q - 16) * d.</summary>
/// <remarks>22 bytes. Fields in file order; ggml's block_q5_0.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Q5_0Block : IBlockEncoder<Q5_0Block>, ISearchedBlock<Q5_0Block>
{
    /// <summary>Scale.</summary>
    public Half d;

    /// <summary>The fifth bits: bit i belongs to value i.</summary>
    public uint h;

    /// <summary>The low four bits, two values a byte: value k in the low half of byte k, value k + 16 in the high half.</summary>
    public Array16<byte> qs;

    /// <inheritdoc/>
    public static string Name => "Q5_0";

    /// <inheritdoc/>
    public static int GgufId => 6;

    /// <inheritdoc/>
    public static int Length => 32;

    /// <inheritdoc/>
    public static bool IsFinite(in Q5_0Block block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in Q5_0Block block, Span<float> values)
    {
        float d = (float)block.d;
        uint h = block.h;
        ReadOnlySpan<byte> qs = block.qs;
        Span<float> low = values[..16], high = values.Slice(16, 16);
        for (int k = 0; k < 16; k++)
        {
            low[k] = ((qs[k] & 15 | (int)(h >> k & 1) << 4) - 16) * d;
            high[k] = ((qs[k] >> 4 | (int)(h >> k + 16 & 1) << 4) - 16) * d;
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out Q5_0Block block)
    {
        block = default;
        SearchedBlocks.Encode(values, importance, new Span<Q5_0Block>(ref block));
    }

    /// <inheritdoc/>
    public static void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<Q5_0Block> blocks) => SearchedBlocks.Encode(values, importance, blocks);

    static void ISearchedBlock<Q5_0Block>.Search(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> scales, Span<float> offsets) =>
        ScaleSearch.Scales<Signed5>(x, w, scales);

    static void ISearchedBlock<Q5_0Block>.Store(ReadOnlySpan<float> x, float scale, float offset, Span<byte> q, ref Q5_0Block block)
    {
        block.d = (Half)scale;
        ScaleSearch.Quantize(x, (float)block.d, 0, -16, 15, q);
        Nibbles.Pack(q, block.qs);
        block.h = Nibbles.FifthBits(q);
    }
}
