using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>What a model can be quantized to: a name users know, and the storage type that most of its weights get.</summary>
/// <param name="Name">Such as "Q4_K_M".</param>
/// <param name="FileType">general.file_type (enum llama_ftype).</param>
/// <param name="Type">The type of the projections before a policy decides.</param>
/// <remarks>Immutable. S, M and L differ under <see cref="QuantPolicy.Ssm"/> only: llama.cpp's rules tell them apart by tensors that these models do not have.</remarks>
public sealed record QuantTarget(string Name, uint FileType, QuantType Type)
{
    /// <summary>Halves: what a checkpoint becomes when nobody asks for another type.</summary>
    public static QuantTarget F16 { get; } = new("F16", 1, QuantTypes.F16);

    /// <summary>Every target.</summary>
    public static IReadOnlyList<QuantTarget> All { get; } =
    [
        new("F32", 0, QuantTypes.F32),
        F16,
        new("BF16", 32, QuantTypes.BF16),
        new("Q8_0", 7, QuantTypes.Q8_0),
        new("Q6_K", 18, QuantTypes.Q6_K),
        new("Q5_K_S", 16, QuantTypes.Q5_K),
        new("Q5_K_M", 17, QuantTypes.Q5_K),
        new("Q5_1", 9, QuantTypes.Q5_1),
        new("Q5_0", 8, QuantTypes.Q5_0),
        new("Q4_K_S", 14, QuantTypes.Q4_K),
        new("Q4_K_M", 15, QuantTypes.Q4_K),
        new("Q4_1", 3, QuantTypes.Q4_1),
        new("Q4_0", 2, QuantTypes.Q4_0),
        new("IQ4_NL", 25, QuantTypes.IQ4_NL),
        new("IQ4_XS", 30, QuantTypes.IQ4_XS),
        new("Q3_K_S", 11, QuantTypes.Q3_K),
        new("Q3_K_M", 12, QuantTypes.Q3_K),
        new("Q3_K_L", 13, QuantTypes.Q3_K),
        new("Q2_K", 10, QuantTypes.Q2_K),
    ];

    /// <summary>The target of this name (case ignored), or null.</summary>
    public static QuantTarget? ByName(string name)
    {
        foreach (QuantTarget target in All)
            if (target.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) return target;
        return null;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
