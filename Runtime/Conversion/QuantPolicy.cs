using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Who chooses the storage type of each tensor.</summary>
public enum QuantPolicy : byte
{
    /// <summary>Our recipe for state-space models (<see cref="SsmRecipe"/>).</summary>
    Ssm,
    /// <summary>llama.cpp's rules.</summary>
    Llama,
}

/// <summary>The choices of the policies.</summary>
internal static class QuantPolicies
{
    /// <summary>The type that a policy wants for a tensor; whether the tensor's rows allow it is for <see cref="Fit"/>.</summary>
    /// <param name="policy">Whose choice.</param>
    /// <param name="target">What is made.</param>
    /// <param name="plan">The network.</param>
    /// <param name="weight">The tensor, a weight of it.</param>
    /// <returns>null for tensors that stay as they are.</returns>
    public static QuantType? Choose(QuantPolicy policy, QuantTarget target, Plan plan, in WeightSpec weight)
    {
        if (weight.IsDecoded) return null;
        if (target.Type.BlockLength == 1) return target.Type;
        if (policy == QuantPolicy.Ssm) return SsmRecipe.Choose(target, weight.Role, weight.Layer == 0, plan.ModelWidth);
        return weight.Role == WeightRole.Head ? LlamaHead(target.Type, weight.Columns) : target.Type;
    }

    /// <summary>The type itself where a row is whole blocks, else the one that takes its place.</summary>
    /// <param name="type">What is wanted.</param>
    /// <param name="columns">Columns that must be whole blocks: <see cref="Plan.ColumnsTogether"/>.</param>
    /// <remarks>
    /// The middle column is llama.cpp's (tensor_type_fallback), which ends in F16 for rows that are not a multiple of 32 and fails
    /// for the types of 32 values; here those are stored as F16 too.
    /// </remarks>
    public static QuantType Fit(QuantType type, int columns)
    {
        if (columns % type.BlockLength == 0) return type;
        if (columns % QuantTypes.Q8_0.BlockLength != 0) return QuantTypes.F16;
        if (type == QuantTypes.Q6_K) return QuantTypes.Q8_0;
        if (type == QuantTypes.Q5_K) return QuantTypes.Q5_1;
        if (type == QuantTypes.Q4_K) return QuantTypes.Q5_0;
        return type == QuantTypes.IQ4_XS ? QuantTypes.IQ4_NL : QuantTypes.Q4_0;   // Q3_K and Q2_K are left
    }

    /// <summary>llama.cpp stores the head, tied or not, in 6 bits, and in 8 where these or the type asked for do not fit.</summary>
    private static QuantType LlamaHead(QuantType type, int columns) =>
        columns % type.BlockLength != 0 || type == QuantTypes.Q8_0 ? QuantTypes.Q8_0 : QuantTypes.Q6_K;
}
