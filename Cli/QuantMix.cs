using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>How much of a file is stored as one type.</summary>
internal sealed record QuantMix(string Type, int Tensors, long Values, long Bytes)
{
    /// <summary>The types of a file, the largest share first.</summary>
    public static List<QuantMix> Of(GgufFile file) => [.. file.Tensors
        .GroupBy(tensor => tensor.Type.Name)
        .Select(group => new QuantMix(group.Key, group.Count(), group.Sum(CountOf), group.Sum(tensor => tensor.Bytes)))
        .OrderByDescending(part => part.Bytes)];

    /// <summary>Bits of a stored value, over all tensors.</summary>
    public static double BitsPerWeight(List<QuantMix> mix)
    {
        long values = mix.Sum(part => part.Values);
        return values == 0 ? 0 : 8.0 * mix.Sum(part => part.Bytes) / values;
    }

    private static long CountOf(GgufTensorInfo tensor) => (long)tensor.Columns * tensor.Rows;
}
