namespace MambaRT.Conversion;

/// <summary>What an export wrote.</summary>
public sealed record ExportReport
{
    /// <summary>"model_type" in config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>Tensors written.</summary>
    public required int Tensors { get; init; }

    /// <summary>Names of the files written.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>Bytes of all files together.</summary>
    public required long Bytes { get; init; }

    /// <summary>What else a user should know, one sentence each.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}
