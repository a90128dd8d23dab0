namespace MambaRT.Extensions.AI;

/// <summary>What a chat client of a <see cref="ModelHost"/> does where a request does not say. Immutable.</summary>
public sealed record MambaChatClientOptions
{
    /// <summary>How turns are written; null for the model's own template.</summary>
    public ChatTemplate? Template { get; init; }

    /// <summary>How tokens are picked, before what a request asks for; null for what the model's file recommends.</summary>
    public SamplingOptions? Sampling { get; init; }

    /// <summary>The most tokens of an answer; -1 goes on until the model stops.</summary>
    public int MaxOutputTokens { get; init; } = 4096;

    /// <summary>
    /// Bytes that the text of all conversations with an id may take together, in memory and, where kept states have a folder (<see cref="CheckpointOptions.Folder"/>), as much again as
    /// files there. The least recently used are dropped, and begin anew when they are asked for again; with 0 none is kept.
    /// </summary>
    public long ConversationBytes { get; init; } = 64L << 20;

    /// <summary>Refuses numbers that mean nothing, each by its name.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        if (MaxOutputTokens < -1) throw new ArgumentException($"MaxOutputTokens must be 0 or more, or -1 for no limit; found {MaxOutputTokens}.", nameof(MaxOutputTokens));
        if (ConversationBytes < 0) throw new ArgumentException($"ConversationBytes must be 0 or more; found {ConversationBytes}.", nameof(ConversationBytes));
        Sampling?.Validate();
    }
}
