using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>A tensor that could not be stored as the type asked for.</summary>
/// <param name="Tensor">Its name in GGUF.</param>
/// <param name="Columns">Values in a row.</param>
/// <param name="Asked">The type asked for; a row is no whole number of its blocks.</param>
/// <param name="Stored">The type taken.</param>
public sealed record StoredOtherwise(string Tensor, int Columns, QuantType Asked, QuantType Stored);
