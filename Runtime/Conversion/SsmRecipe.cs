using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Our own choice of storage types: the one table that it is made of.</summary>
/// <remarks>
/// <para>
/// x_proj and dt_proj, which steer the state, are a twentieth of the weights; they have 8 bits unless a row says otherwise. A, D, taps, norms and biases stay F32. The other types
/// come from measuring, role by role and layer by layer, how much the next-token distribution of two trained models moves (the KL divergence) when one
/// tensor alone is quantized. Per weight, out_proj costs 1.5 times and the tied embedding 1.8 times as much as in_proj at the same type; the first
/// layer costs three times as much as any other, and the others are alike. So the types of a row here lie closer together than llama.cpp's, which
/// keeps the head in 6 bits whatever the rest is stored as, and the first layer is a step finer. Bands of the other layers gained nothing.
/// </para>
/// <para>
/// A row is what loses least for its size among all that these measurements allow near the size its name stands for, not what its name says: IQ4_XS
/// needs fewer bits than Q4_0 and loses less, so "Q4_0" has none. Eight bits for x_proj and dt_proj are 2 to 3 % of a file; five (Q5_K and Q5_1)
/// lost no more over 4,096 tokens of mamba-story-25m at Q5_K_M, Q4_K_M, Q4_K_S, Q4_0 and IQ4_XS, so they have 5 there, and x_proj 6 at Q6_K.
/// </para>
/// <para>
/// A model width that is not a multiple of 256 leaves types of 32 values only to in_proj and the head, none below 4.5 bits; there the same reasoning
/// gives other rows, in which out_proj, whose width may fit, is not coarser than the rest.
/// </para>
/// </remarks>
internal sealed record SsmRecipe(QuantType In, QuantType Out, QuantType FirstIn, QuantType FirstOut, QuantType Head)
{
    /// <summary>The type of x_proj.</summary>
    private QuantType X { get; init; } = QuantTypes.Q8_0;

    /// <summary>The type of dt_proj.</summary>
    private QuantType Dt { get; init; } = QuantTypes.Q8_0;

    private static readonly Dictionary<string, SsmRecipe> Wide = new(StringComparer.Ordinal)
    {
        ["Q8_0"] = Even(QuantTypes.Q8_0, QuantTypes.Q8_0),
        ["Q6_K"] = new(QuantTypes.Q6_K, QuantTypes.Q6_K, QuantTypes.Q8_0, QuantTypes.Q8_0, QuantTypes.Q6_K) { X = QuantTypes.Q6_K },
        ["Q5_K_M"] = new(QuantTypes.Q5_K, QuantTypes.Q5_K, QuantTypes.Q6_K, QuantTypes.Q6_K, QuantTypes.Q6_K) { X = QuantTypes.Q5_K, Dt = QuantTypes.Q5_1 },
        ["Q5_K_S"] = new(QuantTypes.Q5_K, QuantTypes.Q5_K, QuantTypes.Q6_K, QuantTypes.Q5_K, QuantTypes.Q5_K),
        ["Q5_1"] = Even(QuantTypes.Q5_1, QuantTypes.Q6_K),
        ["Q5_0"] = Even(QuantTypes.Q5_0, QuantTypes.Q6_K),
        ["Q4_K_M"] = new(QuantTypes.IQ4_XS, QuantTypes.Q4_K, QuantTypes.Q6_K, QuantTypes.Q5_K, QuantTypes.Q5_K) { X = QuantTypes.Q5_K, Dt = QuantTypes.Q5_1 },
        ["Q4_K_S"] = new(QuantTypes.IQ4_XS, QuantTypes.IQ4_XS, QuantTypes.Q6_K, QuantTypes.Q6_K, QuantTypes.Q5_K) { X = QuantTypes.Q5_K, Dt = QuantTypes.Q5_1 },
        ["Q4_1"] = Even(QuantTypes.Q4_1, QuantTypes.Q5_K),
        ["Q4_0"] = new(QuantTypes.IQ4_XS, QuantTypes.Q4_K, QuantTypes.Q5_K, QuantTypes.Q5_K, QuantTypes.Q5_K) { X = QuantTypes.Q5_K, Dt = QuantTypes.Q5_1 },
        ["IQ4_NL"] = Even(QuantTypes.IQ4_NL, QuantTypes.Q5_K),
        ["IQ4_XS"] = new(QuantTypes.IQ4_XS, QuantTypes.IQ4_XS, QuantTypes.IQ4_XS, QuantTypes.Q5_K, QuantTypes.Q5_K) { X = QuantTypes.Q5_K, Dt = QuantTypes.Q5_1 },
        ["Q3_K_L"] = new(QuantTypes.Q3_K, QuantTypes.IQ4_XS, QuantTypes.Q5_K, QuantTypes.Q6_K, QuantTypes.IQ4_XS),
        ["Q3_K_M"] = new(QuantTypes.Q3_K, QuantTypes.Q3_K, QuantTypes.Q5_K, QuantTypes.Q6_K, QuantTypes.IQ4_XS),
        ["Q3_K_S"] = new(QuantTypes.Q3_K, QuantTypes.Q3_K, QuantTypes.IQ4_XS, QuantTypes.IQ4_XS, QuantTypes.IQ4_XS),
        ["Q2_K"] = new(QuantTypes.Q2_K, QuantTypes.Q3_K, QuantTypes.Q3_K, QuantTypes.IQ4_XS, QuantTypes.Q3_K),
    };

    private static readonly Dictionary<string, SsmRecipe> Narrow = new(Wide, StringComparer.Ordinal)
    {
        ["Q6_K"] = new(QuantTypes.Q8_0, QuantTypes.Q6_K, QuantTypes.Q8_0, QuantTypes.Q6_K, QuantTypes.Q8_0),
        ["Q5_K_M"] = new(QuantTypes.Q5_0, QuantTypes.Q6_K, QuantTypes.Q5_0, QuantTypes.Q6_K, QuantTypes.Q8_0),
        ["Q5_K_S"] = new(QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_1, QuantTypes.Q6_K, QuantTypes.Q5_1),
        ["Q4_K_M"] = new(QuantTypes.Q5_1, QuantTypes.Q6_K, QuantTypes.Q5_1, QuantTypes.Q6_K, QuantTypes.Q5_1),
        ["Q4_K_S"] = new(QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0),
        ["Q4_0"] = new(QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0),
        ["IQ4_XS"] = new(QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0),
        ["Q3_K_L"] = new(QuantTypes.Q4_1, QuantTypes.Q5_K, QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0),
        ["Q3_K_M"] = new(QuantTypes.IQ4_NL, QuantTypes.Q5_K, QuantTypes.Q5_0, QuantTypes.Q5_K, QuantTypes.Q5_0),
        ["Q3_K_S"] = new(QuantTypes.IQ4_NL, QuantTypes.Q4_K, QuantTypes.IQ4_NL, QuantTypes.Q5_K, QuantTypes.IQ4_NL),
        ["Q2_K"] = new(QuantTypes.IQ4_NL, QuantTypes.Q4_K, QuantTypes.IQ4_NL, QuantTypes.Q4_K, QuantTypes.IQ4_NL),
    };

    /// <summary>The type of a tensor.</summary>
    /// <param name="target">A target of blocks.</param>
    /// <param name="role">What the tensor does.</param>
    /// <param name="isFirstLayer">Whether it belongs to layer 0.</param>
    /// <param name="dModel">The width of the residual stream.</param>
    public static QuantType Choose(QuantTarget target, WeightRole role, bool isFirstLayer, int dModel)
    {
        SsmRecipe recipe = (dModel % QuantTypes.Q6_K.BlockLength == 0 ? Wide : Narrow)[target.Name];
        return role switch
        {
            WeightRole.X => recipe.X,
            WeightRole.Dt => recipe.Dt,
            WeightRole.Head => recipe.Head,
            WeightRole.Out => isFirstLayer ? recipe.FirstOut : recipe.Out,
            WeightRole.In => isFirstLayer ? recipe.FirstIn : recipe.In,
            _ => recipe.In,   // an embedding that is not the head is read a row at a time
        };
    }

    private static SsmRecipe Even(QuantType type, QuantType head) => new(type, type, type, type, head);
}
