namespace MambaRT.Formats;

/// <summary>How <see cref="GgufFile.Open"/> gets at the bytes.</summary>
public sealed record GgufOpenOptions
{
    /// <summary>Where the model begins in the file, in bytes: more than 0 for a model appended to an executable.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes of the model from <see cref="Offset"/> on; null is up to the end of the file.</summary>
    public long? Length { get; init; }

    /// <summary>Reads the file into memory instead of mapping it: nobody can change the weights afterwards, at the price of that much memory.</summary>
    public bool CopyToMemory { get; init; }

    /// <summary>What a copy is counted by and taken from; null for the system's, uncounted.</summary>
    public HostMemory? Memory { get; init; }

    /// <summary>Metadata that takes the place of the file's.</summary>
    public MetadataOverrides Overrides { get; init; } = MetadataOverrides.None;
}
