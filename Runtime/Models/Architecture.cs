using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>A network, recorded once against a <see cref="PlanBuilder"/>: the only place that knows its shape.</summary>
internal abstract class Architecture
{
    /// <summary>The table of architectures.</summary>
    public static IReadOnlyList<Architecture> All { get; } = [new Mamba(), new Mamba2()];

    /// <summary>general.architecture in GGUF.</summary>
    public abstract string Id { get; }

    /// <summary>How people know it, for listings.</summary>
    public abstract string Title { get; }

    /// <summary>The one definition: reads keys, records ops, returns the logits.</summary>
    public abstract Activation Define(PlanBuilder p);

    /// <summary>How hub checkpoints become GGUF files of this architecture.</summary>
    public abstract ImportRules Import { get; }

    /// <summary>Records the plan of the model in a file.</summary>
    /// <exception cref="NotSupportedException">The file's architecture is not in the table.</exception>
    public static Plan Record(GgufMetadata metadata, IWeightSource weights)
    {
        var builder = new PlanBuilder(new ModelMetadata(metadata), weights);
        string id = builder.Metadata.Architecture;
        foreach (Architecture architecture in All)
            if (architecture.Id == id) return builder.Build(architecture.Define(builder));
        throw new NotSupportedException($"{metadata.Subject}: architecture '{id}' is not one that MambaRT runs; it runs {string.Join(", ", All.Select(a => $"'{a.Id}'"))}. Choose a model of one of these.");
    }
}
