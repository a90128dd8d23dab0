using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Placeholder.</summary>
internal static class SsmRecipe
{
    public static QuantType Choose(QuantTarget target, TensorRole role, int columns) => role switch
    {
        TensorRole.X or TensorRole.Dt => QuantTypes.Q8_0,
        TensorRole.Head => QuantTypes.Q6_K,
        _ => target.Type,
    };
}
