using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>What a conversion makes.</summary>
public sealed record ConversionOptions
{
    /// <summary>How embedding, head and projections are stored: a type that can be written (<see cref="QuantType.CanEncode"/>). Everything else is stored as F32.</summary>
    public QuantType Type { get; init; } = QuantTypes.F16;

    /// <summary>A folder with tokenizer.json or tokenizer.model, or a GGUF file, to take the tokenizer from; null for the checkpoint's own, if it has one.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>general.name, or null for the folder's name.</summary>
    public string? Name { get; init; }

    /// <summary>general.license, or null for none.</summary>
    public string? License { get; init; }
}
