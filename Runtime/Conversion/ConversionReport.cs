namespace MambaRT.Conversion;

/// <summary>What a conversion wrote.</summary>
public sealed record ConversionReport
{
    /// <summary>general.architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>Tensors written.</summary>
    public required int Tensors { get; init; }

    /// <summary>Bytes of the file.</summary>
    public required long FileBytes { get; init; }

    /// <summary>Tensors whose rows are not whole blocks of the type chosen, so that another one was taken.</summary>
    public required IReadOnlyList<StoredOtherwise> StoredOtherwise { get; init; }

    /// <summary>What else a user should know, one sentence each.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}
