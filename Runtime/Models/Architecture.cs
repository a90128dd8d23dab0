using MambaRT.Formats;

namespace MambaRT.Models;

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

    /// <summary>Published models, of which 'mambart bench --make' makes ones with random weights.</summary>
    public abstract IReadOnlyList<ModelShape> Published { get; }

    /// <summary>The architecture of a model.</summary>
    /// <param name="metadata">The file's.</param>
    /// <param name="among">The architectures there are: <see cref="All"/>, or others in tests.</param>
    /// <exception cref="NotSupportedException">It is not one of them.</exception>
    public static Architecture Of(GgufMetadata metadata, IReadOnlyList<Architecture> among)
    {
        string id = metadata.GetString("general.architecture");
        return among.FirstOrDefault(a => a.Id == id)
            ?? throw new NotSupportedException($"{metadata.Subject}: architecture '{id}' is not one that MambaRT runs; it runs {string.Join(", ", among.Select(a => $"'{a.Id}'"))}. Choose a model of one of these.");
    }

    /// <summary>Records the plan of the model in a file.</summary>
    /// <param name="metadata">Its hyper-parameters.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="among">The architectures there are; null for <see cref="All"/>.</param>
    /// <exception cref="NotSupportedException">The file's architecture is not among them.</exception>
    /// <exception cref="FormatException">A key or a tensor does not fit; the message names it.</exception>
    public static Plan Record(GgufMetadata metadata, IWeightSource weights, IReadOnlyList<Architecture>? among = null) =>
        Of(metadata, among ?? All).Record(new PlanBuilder(new ModelMetadata(metadata), weights));

    /// <summary>Records the plan of a model that is yet to be made: its weights are those that the definition asks for.</summary>
    /// <param name="metadata">Its hyper-parameters.</param>
    /// <param name="vocabulary">Rows of its embedding.</param>
    /// <param name="hasOptional">Whether it has a weight that may be absent, by name.</param>
    public Plan Outline(GgufMetadata metadata, int vocabulary, Func<string, bool> hasOptional) =>
        Record(new PlanBuilder(new ModelMetadata(metadata), vocabulary, hasOptional));

    /// <summary>Sizes of a weight in a file, fastest first.</summary>
    public long[] DimensionsOf(GgufMetadata metadata, in WeightSpec weight)
    {
        string name = TensorRule.General(weight.Name);
        TensorForm form = Import.Tensors.FirstOrDefault(rule => rule.Gguf == name)?.Form ?? TensorForm.AsStored;
        return TensorRule.Dimensions(form, weight.Rows, weight.TensorColumns, weight.Role == WeightRole.Vector, new ModelMetadata(metadata).Groups);
    }

    /// <summary>Refuses tensors that a plan does not read: running or storing a model without a word about them would give wrong answers.</summary>
    /// <exception cref="NotSupportedException">There is one; the message names it.</exception>
    public static void RefuseUnread(GgufMetadata metadata, IEnumerable<GgufTensorInfo> tensors, Plan plan)
    {
        foreach (GgufTensorInfo tensor in tensors)
            if (!plan.TryFind(tensor.Name, out _))
                throw new NotSupportedException($"{metadata.Subject}: tensor '{tensor.Name}' has no place in architecture '{plan.Architecture}' with these keys; running without it would give wrong answers. Re-convert the model.");
    }

    private Plan Record(PlanBuilder builder) => builder.Build(Define(builder));
}
