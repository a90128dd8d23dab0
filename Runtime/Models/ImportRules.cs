using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>How hub checkpoints of an architecture become GGUF.</summary>
internal sealed record ImportRules
{
    /// <summary>Values of "model_type" in config.json.</summary>
    public required IReadOnlyList<string> ModelTypes { get; init; }

    /// <summary>Every tensor that a checkpoint may have.</summary>
    public required IReadOnlyList<TensorRule> Tensors { get; init; }

    /// <summary>Writes the architecture's own keys and refuses settings that change the computation in ways it does not know.</summary>
    public required Action<HubConfig, GgufMetadata> WriteKeys { get; init; }
}
