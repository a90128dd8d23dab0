using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>What an export makes.</summary>
public sealed record ExportOptions
{
    /// <summary>How embedding, head and projections are stored: F32, F16 or BF16; null keeps those of float types as they are and makes quantized ones F16. Everything else is stored as F32.</summary>
    public QuantType? Type { get; init; }

    /// <summary>Whether files in the folder may be replaced.</summary>
    public bool Replace { get; init; }

    /// <summary>Metadata that takes the place of the file's.</summary>
    public MetadataOverrides Overrides { get; init; } = MetadataOverrides.None;

    /// <summary>The architectures there are; tests have others.</summary>
    internal IReadOnlyList<Architecture> Architectures { get; init; } = Architecture.All;
}
