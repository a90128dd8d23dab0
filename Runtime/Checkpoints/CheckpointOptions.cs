namespace MambaRT;

/// <summary>
/// Which states are kept of what was fed, so that a history that begins as one before is not fed again: those at the end of each turn, and one every so many tokens.
/// They are drawn from <see cref="ModelOptions.StateBudget"/> and let go, the least recently useful first, where sessions need the room;
/// of a limited memory (<see cref="ModelOptions.Memory"/>) they take what is free below one half. Immutable.
/// </summary>
public sealed record CheckpointOptions
{
    /// <summary>
    /// Tokens from one kept state to the next, at most what is fed again; a state of the bundled model takes 912 KiB. Null: 256, or a chunk of a prompt
    /// (<see cref="Model.ChunkTokens"/>) where that is longer.
    /// </summary>
    public int? Every { get; init; }

    /// <summary>
    /// A folder that keeps them beyond the program's end, made where there is none; null for none. Files are written whole, bound to model and backend, and take at most as much
    /// as <see cref="ModelOptions.StateBudget"/>: the least recently useful go first. Several programs may share it. Whoever may write there decides what a model remembers.
    /// </summary>
    public string? Folder { get; init; }

    /// <summary>Told in a line of a file that was damaged and dropped, or of a folder that takes none for now; null for nobody.</summary>
    public Action<string>? Note { get; init; }

    /// <summary>Refuses settings that mean nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is out of range.</exception>
    internal void Validate()
    {
        if (Every < 1) throw new ArgumentOutOfRangeException(nameof(Every), $"CheckpointOptions.Every is {Every}; it must be 1 or more. Leave it out for 256, or set ModelOptions.Checkpoints to null to keep none.");
        if (Folder is "") throw new ArgumentException("CheckpointOptions.Folder is empty; give a folder, or null for none.", nameof(Folder));
    }
}
