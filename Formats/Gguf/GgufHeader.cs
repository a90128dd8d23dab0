namespace MambaRT.Formats;

/// <summary>What stands before the weights in one GGUF file, checked; and the rules that reading and writing share.</summary>
/// <param name="Version">2 or 3.</param>
/// <param name="Metadata">The key–value part.</param>
/// <param name="Tensors">The table, in file order.</param>
internal sealed record GgufHeader(uint Version, GgufMetadata Metadata, List<GgufTensorInfo> Tensors)
{
    internal const uint Magic = 0x46554747;   // "GGUF"
    internal const string AlignmentKey = "general.alignment";
    internal const int MaxDimensions = 4;
    internal const int MaxKeyBytes = 65535;
    internal const int MaxNameBytes = 1024;
    internal const int MaxDepth = 4;
    private const int DefaultAlignment = 32;

    /// <summary>The alignment of the data section and of every tensor in it.</summary>
    internal static int Alignment(GgufMetadata metadata)
    {
        int alignment = metadata.TryGetInt32(AlignmentKey, 1, 1 << 30) ?? DefaultAlignment;
        return int.IsPow2(alignment) ? alignment
            : throw new FormatException($"{metadata.Subject}: key '{AlignmentKey}' is {alignment}; a power of two is needed. Re-convert the model.");
    }

    internal static long AlignUp(long offset, int alignment) => offset + alignment - 1 & -alignment;

    /// <summary>Bytes of a tensor, or null with the reason it cannot be.</summary>
    /// <param name="type">Its storage type.</param>
    /// <param name="dimensions">1 to 4 sizes, fastest first, as unsigned numbers out of a file.</param>
    /// <param name="fault">The predicate of the sentence that refuses it.</param>
    internal static long? TensorBytes(QuantType type, ReadOnlySpan<long> dimensions, out string fault)
    {
        long rows = 1;
        foreach (long size in dimensions)
        {
            if (size is > 0 and <= int.MaxValue) continue;
            fault = $"has a dimension of {(ulong)size}; 1 to {int.MaxValue} is needed";
            return null;
        }
        foreach (long size in dimensions[1..])
        {
            rows *= size;
            if (rows <= int.MaxValue) continue;
            fault = $"has more than {int.MaxValue} rows";
            return null;
        }
        int columns = (int)dimensions[0];
        if (columns % type.BlockLength != 0)
        {
            fault = $"has rows of {columns} values, which is not a whole number of {type.Name} blocks of {type.BlockLength}";
            return null;
        }
        fault = $"has rows of {type.RowBytes(columns)} bytes; at most {int.MaxValue} are supported";
        return type.RowBytes(columns) <= int.MaxValue ? type.RowBytes(columns) * rows : null;
    }
}
