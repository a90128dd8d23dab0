namespace MambaRT.Bench;

/// <summary>One comparison of models with a base model over a text.</summary>
/// <param name="Version">The program's version line.</param>
/// <param name="Backend">What they ran on.</param>
/// <param name="Text">The text's name.</param>
/// <param name="Windows">How the text was cut.</param>
/// <param name="Base">The base; it has no divergence.</param>
/// <param name="Models">The others, in the order given.</param>
/// <param name="Variants">The base with some tensors stored otherwise; empty when not asked for.</param>
/// <param name="VariantType">What they were stored as; empty when not asked for.</param>
public sealed record QualityRecord(
    string Version, string Backend, string Text, TokenWindows Windows, QualityModel Base, IReadOnlyList<QualityModel> Models,
    IReadOnlyList<QualityModel> Variants, string VariantType);

/// <summary>What was found of one model.</summary>
/// <param name="Name">Its file, or what was changed.</param>
/// <param name="Bytes">Size of the file.</param>
/// <param name="BitsPerWeight">Bits of a stored value, over all tensors.</param>
/// <param name="Loss">How well it predicts the text.</param>
/// <param name="Divergence">How far it is from the base; null for the base itself.</param>
/// <param name="TokensPerSecond">Speed of decoding one sequence; NaN when not measured.</param>
public sealed record QualityModel(string Name, long Bytes, double BitsPerWeight, TextLoss Loss, Divergence? Divergence, double TokensPerSecond = double.NaN);
