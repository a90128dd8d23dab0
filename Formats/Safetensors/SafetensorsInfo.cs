namespace MambaRT.Formats;

/// <summary>One tensor in a safetensors file. Immutable.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="DType">How its elements are stored, as the file says: "F32", "BF16", "I64", …</param>
/// <param name="Shape">Its sizes, the slowest-varying first; empty for a scalar.</param>
/// <param name="Bytes">How many bytes it has.</param>
public sealed record SafetensorsInfo(string Name, string DType, IReadOnlyList<long> Shape, long Bytes)
{
    /// <summary>Where its bytes begin in the file.</summary>
    internal long Offset { get; init; }
}
