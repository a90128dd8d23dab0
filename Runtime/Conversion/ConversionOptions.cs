namespace MambaRT.Conversion;

/// <summary>What a conversion makes.</summary>
public sealed record ConversionOptions
{
    /// <summary>How embedding, head and projections are stored. Everything else is stored as F32.</summary>
    public QuantTarget Target { get; init; } = QuantTarget.F16;

    /// <summary>Who chooses the type of each of them, where <see cref="Target"/> is one of blocks.</summary>
    public QuantPolicy Policy { get; init; }

    /// <summary>Threads; 0 for one per core. The file does not depend on them.</summary>
    public int Threads { get; init; }

    /// <summary>A folder with tokenizer.json or tokenizer.model, or a GGUF file, to take the tokenizer from; null for the checkpoint's own, if it has one.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>general.name, or null for the folder's name, or the repository's where the folder is a snapshot in a hub's cache.</summary>
    public string? Name { get; init; }

    /// <summary>general.license, or null for none.</summary>
    public string? License { get; init; }

    /// <summary>The architectures there are; tests have others.</summary>
    internal IReadOnlyList<Architecture> Architectures { get; init; } = Architecture.All;
}
