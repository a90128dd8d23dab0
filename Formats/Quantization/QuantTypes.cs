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

    /// <summary>Four bits, scale per 32 values.</summary>
    public static readonly QuantType Q4_0 = new QuantType<Q4_0Block>();

    /// <summary>Four bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q4_1 = new QuantType<Q4_1Block>();

    /// <summary>Five bits, scale per 32 values.</summary>
    public static readonly QuantType Q5_0 = new QuantType<Q5_0Block>();

    /// <summary>Five bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q5_1 = new QuantType<Q5_1Block>();

    /// <summary>Eight bits, scale per 32 values.</summary>
    public static readonly QuantType Q8_0 = new EncodableQuantType<Q8_0Block>();

    /// <summary>Two bits, scale and minimum per 16 values.</summary>
    public static readonly QuantType Q2_K = new QuantType<Q2_KBlock>();

    /// <summary>Three bits, scale per 16 values.</summary>
    public static readonly QuantType Q3_K = new QuantType<Q3_KBlock>();

    /// <summary>Four bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q4_K = new QuantType<Q4_KBlock>();

    /// <summary>Five bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q5_K = new QuantType<Q5_KBlock>();

    /// <summary>Six bits, scale per 16 values.</summary>
    public static readonly QuantType Q6_K = new QuantType<Q6_KBlock>();

    /// <summary>Four bits on uneven levels, scale per 32 values.</summary>
    public static readonly QuantType IQ4_NL = new QuantType<IQ4_NLBlock>();

    /// <summary>Four bits on uneven levels, scale per 32 values in blocks of 256.</summary>
    public static readonly QuantType IQ4_XS = new QuantType<IQ4_XSBlock>();

    /// <summary>Every type, one line each.</summary>
    public static IReadOnlyList<QuantType> All { get; } =
    [
        F32,
        F16,
        BF16,
        Q4_0,
        Q4_1,
        Q5_0,
        Q5_1,
        Q8_0,
        Q2_K,
        Q3_K,
        Q4_K,
        Q5_K,
        Q6_K,
        IQ4_NL,
        IQ4_XS,
    ];

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

    /// <summary>The name of a type that GGUF defines and MambaRT does not decode, so that a reader can refuse it by name; else null.</summary>
    /// <param name="ggufId">The number in the tensor header (enum ggml_type).</param>
    public static string? UnsupportedName(int ggufId) => ggufId switch
    {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        21 => "IQ3_S",
        22 => "IQ2_S",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        41 => "Q1_0",
        42 => "Q2_0",
        _ => null,
    };
}
