using System.Numerics;

namespace MambaRT.Formats;

/// <summary>The signs of eight values in seven bits, as IQ2_XXS, IQ2_XS and IQ3_XXS keep them: the number of negative ones is even.</summary>
internal static class GridSigns
{
    /// <summary>The signs as eight bits: bit j set means that value j is negative.</summary>
    public static int Of(uint code) => (int)(code | (uint)(BitOperations.PopCount(code) & 1) << 7);
}
