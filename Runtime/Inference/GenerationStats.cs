namespace MambaRT;

/// <summary>Counts and times of a run of generation. Times are of computing: what the reader of the text does in between is left out.</summary>
public readonly record struct GenerationStats
{
    /// <summary>Tokens fed before the first pick.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Tokens of the same history before those, which the state had absorbed already: of a turn before, or of a kept state (<see cref="ModelOptions.Checkpoints"/>).</summary>
    public int CachedTokens { get; init; }

    /// <summary>Tokens picked, without one that ended the text.</summary>
    public int GeneratedTokens { get; init; }

    /// <summary>Tokens fed one by one after the prompt: what <see cref="Generation"/> is the time of.</summary>
    public int DecodedTokens { get; init; }

    /// <summary>Time that feeding the prompt took.</summary>
    public TimeSpan Prompt { get; init; }

    /// <summary>Time that feeding <see cref="DecodedTokens"/> and picking after each took.</summary>
    public TimeSpan Generation { get; init; }

    /// <summary>Time from the start to the first pick.</summary>
    public TimeSpan FirstToken { get; init; }

    /// <summary>Why it ended.</summary>
    public StopReason Reason { get; init; }

    /// <summary>Speed of the prompt; 0 where nothing was measured.</summary>
    public double PromptTokensPerSecond => Rate(PromptTokens, Prompt);

    /// <summary>Speed of the generation; 0 where nothing was measured.</summary>
    public double GenerationTokensPerSecond => Rate(DecodedTokens, Generation);

    private static double Rate(int tokens, TimeSpan time) => time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;
}
