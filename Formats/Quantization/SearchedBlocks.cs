namespace MambaRT.Formats;

/// <summary>A block of 32 values with a scale, and perhaps an offset, that <see cref="ScaleSearch"/> finds for eight blocks at once.</summary>
internal interface ISearchedBlock<TSelf> where TSelf : unmanaged, ISearchedBlock<TSelf>
{
    /// <summary>Finds the scale and the offset of each block; offsets are left alone where the format has none.</summary>
    /// <param name="x">The values of up to <see cref="ScaleSearch.Lanes"/> blocks.</param>
    /// <param name="w">Their weights, or none.</param>
    /// <param name="scales">One for each block, written.</param>
    /// <param name="offsets">One for each block.</param>
    static abstract void Search(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> scales, Span<float> offsets);

    /// <summary>Stores a block's values by the scale and offset as the format rounds them.</summary>
    /// <param name="x">Its values.</param>
    /// <param name="scale">Its scale.</param>
    /// <param name="offset">Its offset.</param>
    /// <param name="q">Room for 32 numbers.</param>
    /// <param name="block">The block, every field of which is written.</param>
    static abstract void Store(ReadOnlySpan<float> x, float scale, float offset, Span<byte> q, ref TSelf block);
}

/// <summary>The encoder that the formats of 32 searched values share.</summary>
internal static class SearchedBlocks
{
    private const int Length = 32;

    /// <summary>As <see cref="IBlockEncoder{TSelf}.EncodeAll"/>.</summary>
    public static void Encode<TBlock>(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<TBlock> blocks) where TBlock : unmanaged, ISearchedBlock<TBlock>
    {
        Span<float> weights = stackalloc float[Length * ScaleSearch.Lanes], scales = stackalloc float[ScaleSearch.Lanes], offsets = stackalloc float[ScaleSearch.Lanes];
        Span<byte> q = stackalloc byte[Length];
        for (int first = 0; first < blocks.Length; first += ScaleSearch.Lanes)
        {
            int count = Math.Min(ScaleSearch.Lanes, blocks.Length - first);
            ReadOnlySpan<float> x = values.Slice(Length * first, Length * count);
            ReadOnlySpan<float> w = ScaleSearch.Weights(importance.IsEmpty ? importance : importance.Slice(Length * first, x.Length), weights, Length);
            TBlock.Search(x, w, scales[..count], offsets[..count]);
            for (int i = 0; i < count; i++) TBlock.Store(x.Slice(Length * i, Length), scales[i], offsets[i], q, ref blocks[first + i]);
        }
    }
}
