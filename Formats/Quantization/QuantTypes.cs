namespace MambaRT.Formats;

/// <summary>The table of storage types that MambaRT reads.</summary>
public static class QuantTypes
{
    /// <summary>IEEE float32.</summary>
    public static readonly QuantType F32 = new EncodableQuantType<F32Block>();

    /// <summary>IEEE half precision.</summary>
    public static readonly QuantType F16 = new EncodableQuantType<F16Block>();

    /// <summary>bfloat16.</summary>
    public static readonly QuantType BF16 = new EncodableQuantType<BF16Block>();

    /// <summary>Every type, one line each.</summary>
    public static IReadOnlyList<QuantType> All { get; } = [F32, F16, BF16];

    /// <summary>The type with this GGUF number, or null.</summary>
    public static QuantType? ById(int ggufId)
    {
        foreach (QuantType type in All)
            if (type.GgufId == ggufId) return type;
        return null;
    }

    /// <summary>The type with this name (case ignored), or null.</summary>
    public static QuantType? ByName(string name)
    {
        foreach (QuantType type in All)
            if (type.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) return type;
        return null;
    }
}
