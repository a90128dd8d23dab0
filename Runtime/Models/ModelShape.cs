using MambaRT.Formats;

namespace MambaRT.Models;

/// <summary>The sizes of a published model, from its config.json: enough to make one like it with weights of one's own.</summary>
public sealed class ModelShape
{
    private readonly IReadOnlyList<(string Key, object Value)> _keys;
    private readonly IReadOnlyList<string> _optional;

    /// <summary>Describes a model.</summary>
    /// <param name="definition">Its network.</param>
    /// <param name="name">As published, such as "mamba-130m".</param>
    /// <param name="vocabulary">Rows of the embedding, padding included.</param>
    /// <param name="keys">Its keys in GGUF without the architecture's prefix, in the order of the file.</param>
    /// <param name="optional">The weights it has of those that may be absent, with "{i}" for the layer.</param>
    internal ModelShape(Architecture definition, string name, int vocabulary, IReadOnlyList<(string Key, object Value)> keys, IReadOnlyList<string> optional) =>
        (Definition, Name, Vocabulary, _keys, _optional) = (definition, name, vocabulary, keys, optional);

    /// <summary>Every published model that MambaRT knows the sizes of.</summary>
    public static IReadOnlyList<ModelShape> All { get; } = [.. Models.Architecture.All.SelectMany(a => a.Published)];

    /// <summary>As published, such as "mamba-130m".</summary>
    public string Name { get; }

    /// <summary>general.architecture, such as "mamba".</summary>
    public string Architecture => Definition.Id;

    /// <summary>Rows of the embedding, padding included.</summary>
    public int Vocabulary { get; }

    /// <summary>Weights and vectors, a tied head counted once.</summary>
    public long Parameters
    {
        get
        {
            long sum = 0;
            foreach (WeightSpec weight in Record(Metadata()).Weights) sum += weight.Count;
            return sum;
        }
    }

    /// <summary>Its network.</summary>
    internal Architecture Definition { get; }

    /// <summary>The shape of this name (case ignored), or null.</summary>
    public static ModelShape? ByName(string name) => All.FirstOrDefault(shape => shape.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Metadata with the architecture and its keys, and nothing else.</summary>
    internal GgufMetadata Metadata()
    {
        var metadata = new GgufMetadata(Name);
        metadata.Set("general.architecture", Definition.Id);
        WriteKeys(metadata);
        return metadata;
    }

    /// <summary>Writes the architecture's keys.</summary>
    internal void WriteKeys(GgufMetadata metadata)
    {
        foreach ((string key, object value) in _keys) metadata.Set($"{Definition.Id}.{key}", value);
    }

    /// <summary>The plan of a model of this shape.</summary>
    internal Plan Record(GgufMetadata metadata) => Definition.Outline(metadata, Vocabulary, HasOptional);

    /// <summary>Whether such a model has a weight that may be absent.</summary>
    internal bool HasOptional(string tensor) => _optional.Contains(TensorRule.General(tensor));
}
