using MambaRT.Formats;

namespace MambaRT;

/// <summary>How a model is opened.</summary>
public sealed record ModelOptions
{
    /// <summary>Far above what any device gains from; scratch memory for so many rows can still be counted.</summary>
    private const int MostChunkTokens = 1 << 20;

    /// <summary>Tokens that a prompt is fed in at a time: what bounds the scratch memory, whatever the prompt's length. Null: as many as the device runs best; never more than it runs at once; <see cref="Model.ChunkTokens"/> says how many.</summary>
    public int? ChunkTokens { get; init; }

    /// <summary>Whether the weights are copied into memory instead of mapped, so that nothing done to the file can matter afterwards.</summary>
    public bool CopyToMemory { get; init; }

    /// <summary>Sees what the projections read while the model runs, or null.</summary>
    public IActivationObserver? Observer { get; init; }

    /// <summary>Metadata that takes the place of the file's.</summary>
    public MetadataOverrides Overrides { get; init; } = MetadataOverrides.None;

    /// <summary>Where in the file the model begins: 0, or past the executable it was appended to.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes of the model in the file, or null for all from <see cref="Offset"/> on.</summary>
    public long? Length { get; init; }

    /// <summary>
    /// Bytes that the states of all sessions and forks, and those that are kept (<see cref="Checkpoints"/>), may take together; what is beyond is refused by <see cref="StateBudgetException"/>.
    /// Null: an eighth of the machine's memory, and room for four in any case.
    /// </summary>
    public long? StateBudget { get; init; }

    /// <summary>
    /// The memory that the model takes of the machine's, with a limit or from an allocator of the program's; null: the system's, uncounted. A state beyond the limit is
    /// refused as one beyond the budget is, anything else by <see cref="InsufficientMemoryException"/>. Not for devices that have memory of their own.
    /// </summary>
    public HostMemory? Memory { get; init; }

    /// <summary>Which states are kept so that what was fed once need not be fed again; null keeps none.</summary>
    public CheckpointOptions? Checkpoints { get; init; } = new();

    /// <summary>
    /// Told how far loading is, on the thread that loads: none of it (<see cref="LoadProgress.Opening"/>) when the network and its backend are known, what the backend uploads or compiles
    /// where it does, and all of it (<see cref="LoadProgress.Ready"/>) at the end. Null for nobody.
    /// </summary>
    public IProgress<LoadProgress>? Progress { get; init; }

    /// <summary>Refuses numbers that mean nothing, each by its name.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is out of range.</exception>
    internal void Validate()
    {
        if (ChunkTokens is < 1 or > MostChunkTokens)
            throw new ArgumentOutOfRangeException(nameof(ChunkTokens), $"ModelOptions.ChunkTokens is {ChunkTokens}; it must lie between 1 and {MostChunkTokens}. Leave it out for as many as the device runs best.");
        if (StateBudget < 0)
            throw new ArgumentOutOfRangeException(nameof(StateBudget), $"ModelOptions.StateBudget is {StateBudget} bytes; it must be 0 or more. Leave it out for an eighth of the machine's memory.");
    }

    /// <summary>The architectures there are; tests have others.</summary>
    internal IReadOnlyList<Architecture> Architectures { get; init; } = Architecture.All;
}
