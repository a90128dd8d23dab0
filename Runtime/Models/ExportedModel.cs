using MambaRT.Formats;

namespace MambaRT.Models;

/// <summary>A model in a GGUF file, as the writers of config.json look at it.</summary>
internal sealed class ExportedModel(GgufFile file)
{
    /// <summary>Its hyper-parameters.</summary>
    public ModelMetadata Metadata { get; } = new(file.Metadata);

    /// <summary>Rows of the embedding.</summary>
    public int VocabularySize => file.TryGet(TensorRule.Embedding, out TensorView embedding) ? embedding.Rows
        : throw new FormatException($"{file.Path}: tensor '{TensorRule.Embedding}' is missing; a whole model is needed. Convert it again.");

    /// <summary>Whether the file has a tensor.</summary>
    public bool Has(string tensor) => file.TryGet(tensor, out _);
}
