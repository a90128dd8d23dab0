namespace MambaRT;

/// <summary>How far a generation goes. Immutable, so threads may share it if <see cref="OnLogProbs"/> allows that.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to generate; 0 only feeds the prompt, -1 goes on until the model stops.</summary>
    public int MaxTokens { get; init; } = -1;

    /// <summary>Strings that end the text; no part of the one found is shown.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether the tokens that end a generation are kept from being picked at all, so that the model goes on.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>How many of the most likely tokens <see cref="OnLogProbs"/> is told at each place.</summary>
    public int LogProbs { get; init; }

    /// <summary>Told of every generated token, before its text is shown, on the thread that computes.</summary>
    public Action<TokenLogProbs>? OnLogProbs { get; init; }

    /// <summary>Refuses settings that mean nothing, each by its name.</summary>
    /// <exception cref="ArgumentException">A setting is out of range.</exception>
    public void Validate()
    {
        if (MaxTokens < -1) throw new ArgumentException($"MaxTokens must be 0 or more, or -1 for no limit; found {MaxTokens}.", nameof(MaxTokens));
        if (LogProbs < 0) throw new ArgumentException($"LogProbs must be 0 or more; found {LogProbs}.", nameof(LogProbs));
        if (Stop is null) throw new ArgumentException("Stop needs a list, which may be empty; found null.", nameof(Stop));
        if (Stop.Contains(null!)) throw new ArgumentException("Stop holds null; a stop string is a text.", nameof(Stop));   // callers without nullable checks
    }
}
