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
    public static readonly QuantType Q4_0 = new EncodableQuantType<Q4_0Block>();

    /// <summary>Four bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q4_1 = new EncodableQuantType<Q4_1Block>();

    /// <summary>Five bits, scale per 32 values.</summary>
    public static readonly QuantType Q5_0 = new EncodableQuantType<Q5_0Block>();

    /// <summary>Five bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q5_1 = new EncodableQuantType<Q5_1Block>();

    /// <summary>Eight bits, scale per 32 values.</summary>
    public static readonly QuantType Q8_0 = new EncodableQuantType<Q8_0Block>();

    /// <summary>Two bits, scale and minimum per 16 values.</summary>
    public static readonly QuantType Q2_K = new EncodableQuantType<Q2_KBlock>();

    /// <summary>Three bits, scale per 16 values.</summary>
    public static readonly QuantType Q3_K = new EncodableQuantType<Q3_KBlock>();

    /// <summary>Four bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q4_K = new EncodableQuantType<Q4_KBlock>();

    /// <summary>Five bits, scale and minimum per 32 values.</summary>
    public static readonly QuantType Q5_K = new EncodableQuantType<Q5_KBlock>();

    /// <summary>Six bits, scale per 16 values.</summary>
    public static readonly QuantType Q6_K = new EncodableQuantType<Q6_KBlock>();

    /// <summary>Four bits on uneven levels, scale per 32 values.</summary>
    public static readonly QuantType IQ4_NL = new EncodableQuantType<IQ4_NLBlock>();

    /// <summary>Four bits on uneven levels, scale per 32 values in blocks of 256.</summary>
    public static readonly QuantType IQ4_XS = new EncodableQuantType<IQ4_XSBlock>();

    /// <summary>One and a half bits: points of a codebook of 2,048, scale per 32 values.</summary>
    public static readonly QuantType IQ1_S = new QuantType<IQ1_SBlock>();

    /// <summary>One and three quarters bits: points of a codebook of 2,048, scale per 16 values.</summary>
    public static readonly QuantType IQ1_M = new QuantType<IQ1_MBlock>();

    /// <summary>Two bits: points of a codebook of 256, scale per 32 values.</summary>
    public static readonly QuantType IQ2_XXS = new QuantType<IQ2_XXSBlock>();

    /// <summary>Two and a quarter bits: points of a codebook of 512, scale per 16 values.</summary>
    public static readonly QuantType IQ2_XS = new QuantType<IQ2_XSBlock>();

    /// <summary>Two and a half bits: points of a codebook of 1,024, scale per 16 values.</summary>
    public static readonly QuantType IQ2_S = new QuantType<IQ2_SBlock>();

    /// <summary>Three bits: points of a codebook of 256, scale per 32 values.</summary>
    public static readonly QuantType IQ3_XXS = new QuantType<IQ3_XXSBlock>();

    /// <summary>Three and a half bits: points of a codebook of 512, scale per 32 values.</summary>
    public static readonly QuantType IQ3_S = new QuantType<IQ3_SBlock>();

    /// <summary>Three levels, five values a byte, scale per 256 values.</summary>
    public static readonly QuantType TQ1_0 = new QuantType<TQ1_0Block>();

    /// <summary>Three levels in two bits, scale per 256 values.</summary>
    public static readonly QuantType TQ2_0 = new QuantType<TQ2_0Block>();

    /// <summary>Floats of four bits, a power of two as scale per 32 values.</summary>
    public static readonly QuantType MXFP4 = new QuantType<MXFP4Block>();

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
        IQ1_S,
        IQ1_M,
        IQ2_XXS,
        IQ2_XS,
        IQ2_S,
        IQ3_XXS,
        IQ3_S,
        TQ1_0,
        TQ2_0,
        MXFP4,
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
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        40 => "NVFP4",
        41 => "Q1_0",
        42 => "Q2_0",
        _ => null,
    };
}
