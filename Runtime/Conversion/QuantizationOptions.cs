using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>How a model is quantized.</summary>
public sealed record QuantizationOptions
{
    /// <summary>What to make.</summary>
    public required QuantTarget Target { get; init; }

    /// <summary>Who chooses the type of each tensor.</summary>
    public QuantPolicy Policy { get; init; }

    /// <summary>Choices that precede the policy's; of several that match a tensor the last holds.</summary>
    public IReadOnlyList<QuantOverride> Overrides { get; init; } = [];

    /// <summary>Which columns matter, or null for all alike.</summary>
    public ImportanceMatrix? Importance { get; init; }

    /// <summary>Whether weights that are quantized already may be quantized again, which adds the errors up.</summary>
    public bool AllowRequantize { get; init; }

    /// <summary>Threads; 0 for one per core.</summary>
    public int Threads { get; init; }

    /// <summary>The architectures there are; tests have others.</summary>
    internal IReadOnlyList<Architecture> Architectures { get; init; } = Architecture.All;
}

/// <summary>A storage type for all tensors whose names match.</summary>
/// <param name="Pattern">A part of a name, in which * stands for any text: "blk.0.", "blk.*.ssm_out".</param>
/// <param name="Type">A type that can be written.</param>
public sealed record QuantOverride(string Pattern, QuantType Type)
{
    /// <summary>Whether a tensor's name contains the pattern.</summary>
    public bool Matches(string name)
    {
        int at = 0;
        foreach (string piece in Pattern.Split('*'))
        {
            int found = name.IndexOf(piece, at, StringComparison.Ordinal);
            if (found < 0) return false;
            at = found + piece.Length;
        }
        return true;
    }
}
