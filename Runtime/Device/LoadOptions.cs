using MambaRT.Formats;

namespace MambaRT.Devices;

/// <summary>What to prepare at load.</summary>
public sealed record LoadOptions
{
    /// <summary>States to make room for at once.</summary>
    public int Slots { get; init; } = 1;

    /// <summary>Bytes that all states may take together; <see cref="ILoadedModel.ReserveSlots"/> refuses what is beyond.</summary>
    public long StateBudget { get; init; } = long.MaxValue;

    /// <summary>What memory of the machine's is counted by and taken from; null for the system's, uncounted. Without meaning to a device that has its own.</summary>
    public HostMemory? Memory { get; init; }

    /// <summary>Rows of the chunks that prompts will be fed in: what a backend makes its largest executable for; 0 leaves it open.</summary>
    public int ChunkTokens { get; init; }

    /// <summary>Sees what the projections read; null, as a rule, costs nothing.</summary>
    public IActivationObserver? Observer { get; init; }

    /// <summary>Tokens that no pick takes: rows of the head that stand for no token of the vocabulary, in ascending order.</summary>
    public IReadOnlyList<int> NeverPicked { get; init; } = [];

    /// <summary>Tokens that end a text: a span whose <see cref="Batch.LastPick"/> is one of them leaves its sequence as it is.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>What errors are about: the model's file.</summary>
    public string Subject { get; init; } = "The model";

    /// <summary>Told how far loading is, where that takes time: on the loading thread, at most once a tensor.</summary>
    public IProgress<LoadProgress>? Progress { get; init; }
}
