using System.Runtime.InteropServices;

namespace MambaRT.Formats.Blocks;

/// <summary>32 values of four bits with one scale, each an index into sixteen uneven levels: d * Levels[q].</summary>
/// <remarks>18 bytes. Fields in file order; ggml's block_iq4_nl.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct IQ4_NLBlock : IBlockEncoder<IQ4_NLBlock>, ISearchedBlock<IQ4_NLBlock>
{
    /// <summary>Scale.</summary>
    public Half d;

    /// <summary>Two values a byte: value k in the low half of byte k, value k + 16 in the high half.</summary>
    public Array16<byte> qs;

    /// <inheritdoc/>
    public static string Name => "IQ4_NL";

    /// <inheritdoc/>
    public static int GgufId => 20;

    /// <inheritdoc/>
    public static int Length => 32;

    /// <inheritdoc/>
    public static bool IsFinite(in IQ4_NLBlock block) => Half.IsFinite(block.d);

    /// <inheritdoc/>
    public static void Decode(in IQ4_NLBlock block, Span<float> values)
    {
        float d = (float)block.d;
        ReadOnlySpan<byte> qs = block.qs;
        ReadOnlySpan<sbyte> levels = Levels;
        Span<float> low = values[..16], high = values.Slice(16, 16);
        for (int k = 0; k < 16; k++)
        {
            low[k] = d * levels[qs[k] & 15];
            high[k] = d * levels[qs[k] >> 4];
        }
    }

    /// <inheritdoc/>
    public static void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out IQ4_NLBlock block)
    {
        block = default;
        SearchedBlocks.Encode(values, importance, new Span<IQ4_NLBlock>(ref block));
    }

    /// <inheritdoc/>
    public static void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<IQ4_NLBlock> blocks) => SearchedBlocks.Encode(values, importance, blocks);

    static void ISearchedBlock<IQ4_NLBlock>.Search(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> scales, Span<float> offsets) =>
        ScaleSearch.Scales<UnevenLevels>(x, w, scales);

    static void ISearchedBlock<IQ4_NLBlock>.Store(ReadOnlySpan<float> x, float scale, float offset, Span<byte> q, ref IQ4_NLBlock block)
    {
        block.d = (Half)scale;
        UnevenLevels.Quantize(x, (float)block.d, q);
        Nibbles.Pack(q, block.qs);
    }

    /// <summary>The sixteen levels of IQ4_NL and IQ4_XS, a constant of the format.</summary>
    /// <remarks>kvalues_iq4nl of ggml (MIT licence, copyright the ggml authors).</remarks>
    public static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
}
