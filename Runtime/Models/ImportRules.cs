using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Models;

/// <summary>How hub checkpoints of an architecture become GGUF, and GGUF files become checkpoints.</summary>
internal sealed record ImportRules
{
    /// <summary>Values of "model_type" in config.json.</summary>
    public required IReadOnlyList<string> ModelTypes { get; init; }

    /// <summary>Every tensor that a checkpoint may have.</summary>
    public required IReadOnlyList<TensorRule> Tensors { get; init; }

    /// <summary>Writes the architecture's own keys and refuses settings that change the computation in ways it does not know.</summary>
    public required Action<HubConfig, GgufMetadata> WriteKeys { get; init; }

    /// <summary>Which of <see cref="ModelTypes"/> a model is; null where there is one only.</summary>
    public Func<ExportedModel, string>? ModelTypeOf { get; init; }

    /// <summary>Writes the architecture's keys of config.json into an open object, all but "model_type": what <see cref="WriteKeys"/> reads.</summary>
    public required Action<ExportedModel, Utf8JsonWriter> WriteConfig { get; init; }
}
