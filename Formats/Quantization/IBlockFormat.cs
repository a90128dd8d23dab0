namespace MambaRT.Formats.Blocks;

/// <summary>One quantized block: <see cref="Length"/> values in <c>sizeof(TSelf)</c> bytes, laid out as in the file.</summary>
/// <remarks>The size is never typed in; it is the struct's. <see cref="Decode"/> is the definition; faster paths are tested against it.</remarks>
public interface IBlockFormat<TSelf> where TSelf : unmanaged, IBlockFormat<TSelf>
{
    /// <summary>The name users know the type by, such as "Q4_K".</summary>
    static abstract string Name { get; }

    /// <summary>The type's number in GGUF tensor headers (enum ggml_type).</summary>
    static abstract int GgufId { get; }

    /// <summary>Values per block.</summary>
    static abstract int Length { get; }

    /// <summary>Writes the block's <see cref="Length"/> values, in float32, each product and difference rounded.</summary>
    /// <param name="block">The block as it lies in the file.</param>
    /// <param name="values">At least <see cref="Length"/> floats.</param>
    static abstract void Decode(in TSelf block, Span<float> values);

    /// <summary>Decodes blocks one after the other; a type overrides it where many at once are faster.</summary>
    /// <param name="blocks">Whole blocks.</param>
    /// <param name="values">Exactly as many floats as they hold.</param>
    static virtual void DecodeAll(ReadOnlySpan<TSelf> blocks, Span<float> values)
    {
        for (int i = 0; i < blocks.Length; i++) TSelf.Decode(in blocks[i], values.Slice(i * TSelf.Length, TSelf.Length));
    }

    /// <summary>Whether every value of the block is finite: where values are products of small integers and halves, whether the halves are.</summary>
    static abstract bool IsFinite(in TSelf block);

    /// <summary>Whether every value of some blocks is finite; a type overrides it where many at once are faster.</summary>
    static virtual bool AllFinite(ReadOnlySpan<TSelf> blocks)
    {
        bool all = true;
        for (int i = 0; i < blocks.Length; i++) all &= TSelf.IsFinite(in blocks[i]);
        return all;
    }
}

/// <summary>A block format that MambaRT can also write.</summary>
public interface IBlockEncoder<TSelf> : IBlockFormat<TSelf> where TSelf : unmanaged, IBlockEncoder<TSelf>
{
    /// <summary>Stores <paramref name="values"/> as nearly as the format can.</summary>
    /// <param name="values">Exactly <c>Length</c> finite floats.</param>
    /// <param name="importance">Weight of each value's squared error, or empty for all equal.</param>
    /// <param name="block">The block to write.</param>
    static abstract void Encode(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, out TSelf block);

    /// <summary>Encodes blocks one after the other; a type overrides it where many at once are faster.</summary>
    /// <param name="values">Exactly as many finite floats as the blocks hold.</param>
    /// <param name="importance">As many weights, or empty.</param>
    /// <param name="blocks">The blocks to write.</param>
    static virtual void EncodeAll(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<TSelf> blocks)
    {
        for (int i = 0; i < blocks.Length; i++)
        {
            int at = i * TSelf.Length;
            TSelf.Encode(values.Slice(at, TSelf.Length), importance.IsEmpty ? importance : importance.Slice(at, TSelf.Length), out blocks[i]);
        }
    }
}
