using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Finds for every tensor of a checkpoint its rule, name, sizes and storage type; refuses missing and unexpected ones.</summary>
internal sealed class TensorMapper
{
    private readonly HubCheckpoint _checkpoint;
    private readonly QuantType _asked;
    private readonly int _groups;
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly List<TensorImport> _tensors = [];

    private TensorMapper(HubCheckpoint checkpoint, QuantType asked)
    {
        _checkpoint = checkpoint;
        _asked = asked;
        _groups = checkpoint.Config.Size("n_groups", missing: 1);
    }

    /// <summary>The tensors to write: those of the stack, then layer by layer.</summary>
    /// <exception cref="FormatException">A tensor is missing or has no place.</exception>
    /// <exception cref="NotSupportedException">A tensor's element type is not a float type.</exception>
    public static IReadOnlyList<TensorImport> Map(HubCheckpoint checkpoint, QuantType asked)
    {
        var mapper = new TensorMapper(checkpoint, asked);
        IReadOnlyList<TensorRule> rules = checkpoint.Architecture.Import.Tensors;
        foreach (TensorRule rule in rules)
            if (!IsLayered(rule)) mapper.Add(rule, rule.Hub, rule.Gguf);
        int layers = checkpoint.Config.Size("num_hidden_layers");
        for (int i = 0; i < layers; i++)
            foreach (TensorRule rule in rules)
                if (IsLayered(rule)) mapper.Add(rule, rule.Hub.Replace(TensorRule.Layer, $"{i}"), rule.Gguf.Replace(TensorRule.Layer, $"{i}"));
        mapper.RefuseUnexpected();
        return mapper._tensors;
    }

    private static bool IsLayered(TensorRule rule) => rule.Hub.Contains(TensorRule.Layer);

    private void Add(TensorRule rule, string hub, string gguf)
    {
        if (!_checkpoint.Weights.TryGet(hub, out TensorView view))
        {
            if (IsNeeded(rule.Presence))
                throw new FormatException($"{_checkpoint.Weights.Path}: tensor '{hub}' is missing, which config.json calls for; download the whole checkpoint.");
            return;
        }
        if (!IsAllowed(rule.Presence)) return;   // refused below as unexpected
        _used.Add(hub);
        if (rule.Presence == TensorPresence.UntiedHead && EqualsEmbedding(view)) return;
        long[] dimensions = Dimensions(rule.Form, hub, view);
        _tensors.Add(new TensorImport(rule, hub, gguf, view, dimensions, Type(rule, view)));
    }

    private bool IsNeeded(TensorPresence presence) => presence == TensorPresence.UntiedHead
        ? !_checkpoint.Config.Flag("tie_word_embeddings", missing: true)
        : IsAllowed(presence);

    private bool IsAllowed(TensorPresence presence) => presence switch
    {
        TensorPresence.ProjectionBias => _checkpoint.Config.Flag("use_bias", missing: false),
        TensorPresence.ConvolutionBias => _checkpoint.Config.Flag("use_conv_bias", missing: true),
        _ => true,
    };

    /// <summary>Whether a head is the embedding over again, bit for bit.</summary>
    private bool EqualsEmbedding(in TensorView head)
    {
        TensorView embedding = _tensors[0].View;   // the first rule's
        if (head.Type != embedding.Type || head.Rows != embedding.Rows || head.Columns != embedding.Columns) return false;
        for (int i = 0; i < head.Rows; i++)
            if (!head.Row(i).SequenceEqual(embedding.Row(i))) return false;
        return true;
    }

    private long[] Dimensions(TensorForm form, string hub, in TensorView view)
    {
        long count = (long)view.Rows * view.Columns;
        if (form == TensorForm.Column) return [1, count];
        if (form == TensorForm.AsStored) return _checkpoint.Weights.Find(hub)!.Shape.Count == 1 ? [count] : [view.Columns, view.Rows];
        if (count % _groups != 0)
            throw new FormatException($"{_checkpoint.Weights.Path}: the {count} values of tensor '{hub}' do not divide into {_groups} groups; use the config.json that belongs to the checkpoint.");
        return [count / _groups, _groups];
    }

    private QuantType Type(TensorRule rule, in TensorView view) =>
        !rule.TakesType ? QuantTypes.F32 : view.Columns % _asked.BlockLength == 0 ? _asked : QuantTypes.F16;

    private void RefuseUnexpected()
    {
        foreach (SafetensorsInfo entry in _checkpoint.Weights.Entries)
            if (!_used.Contains(entry.Name))
                throw new FormatException($"{_checkpoint.Weights.Path}: tensor '{HubConfig.Show(entry.Name)}' has no place in architecture '{_checkpoint.Architecture.Id}' with this config.json; leaving it out would give wrong answers. Use the config.json that belongs to the checkpoint.");
    }
}
