namespace MambaRT.Backends.Cuda;

/// <summary>Of how many halves each factor of a product is the sum where tensor cores multiply them.</summary>
/// <param name="X">Of x: two F16 keep 22 bits, three BF16 all 24; x in 8 bits and their scale, beside quantized weights, takes two.</param>
/// <param name="W">Of the weights.</param>
internal readonly record struct HalfParts(int X, int W)
{
    /// <summary>Those of a product.</summary>
    /// <param name="form">The form of its weights.</param>
    /// <param name="exact">Whether nothing is rounded to 16 bits: neither activations beside float weights, which beside those of 32 bits never are, nor what quantized weights say.</param>
    public static HalfParts For(WeightForm form, bool exact) => form.Kernels switch
    {
        "F32" => new(2, 2),
        "F16" when exact => new(2, 1),
        "BF16" when exact => new(3, 1),
        _ when exact && form.IsQuantized => new(2, 2),
        _ => new(1, 1),
    };

    /// <summary>Whether there are several: factors are split before the product.</summary>
    public bool AreSeveral => X > 1;

    /// <summary>Products of parts that count, of places that add up to less than the most parts.</summary>
    public int Products => W == 1 ? X : X * (X + 1) / 2;
}
