using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Finds for every tensor of a checkpoint its rule, name and sizes; refuses missing and unexpected ones.</summary>
internal sealed class TensorMapper
{
    private readonly HubCheckpoint _checkpoint;
    private readonly int _groups;
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly List<TensorImport> _tensors = [];

    private TensorMapper(HubCheckpoint checkpoint, GgufMetadata metadata)
    {
        _checkpoint = checkpoint;
        _groups = new ModelMetadata(metadata).Groups;
    }

    /// <summary>The tensors to write: those of the stack, then layer by layer.</summary>
    /// <exception cref="FormatException">A tensor is missing or has no place.</exception>
    /// <exception cref="NotSupportedException">A tensor's element type is not a float type.</exception>
    public static IReadOnlyList<TensorImport> Map(HubCheckpoint checkpoint, GgufMetadata metadata)
    {
        var mapper = new TensorMapper(checkpoint, metadata);
        int layers = checkpoint.Config.Size("num_hidden_layers");
        foreach ((TensorRule rule, string hub, string gguf) in TensorRule.Expand(checkpoint.Architecture.Import.Tensors, layers)) mapper.Add(rule, hub, gguf);
        mapper.RefuseUnexpected();
        mapper.LeaveOutTiedHead();
        return mapper._tensors;
    }

    private void Add(TensorRule rule, string hub, string gguf)
    {
        if (!_checkpoint.Weights.Tensors.TryGetValue(hub, out CheckpointTensor? source))
        {
            if (IsNeeded(rule.Presence))
                throw new FormatException($"{_checkpoint.Weights.Path}: tensor '{hub}' is missing, which {Path.GetFileName(_checkpoint.Config.Path)} calls for; download the whole checkpoint.");
            return;
        }
        if (!IsAllowed(rule.Presence)) return;   // refused below as unexpected
        _used.Add(hub);
        CheckpointMatrix values = source.Matrix();
        _tensors.Add(new TensorImport(rule, source, gguf, values, Dimensions(rule.Form, source, values)));
    }

    /// <summary>A head that is the embedding once more is not stored.</summary>
    private void LeaveOutTiedHead()
    {
        TensorImport embedding = _tensors.Find(t => t.Name == TensorRule.Embedding)
            ?? throw new InvalidOperationException($"Architecture '{_checkpoint.Architecture.Id}' has no rule for '{TensorRule.Embedding}'; its 'Import' needs one.");
        _tensors.RemoveAll(t => t.Rule.Presence == TensorPresence.UntiedHead && t.Values.SameBits(embedding.Values));
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

    private long[] Dimensions(TensorForm form, CheckpointTensor source, CheckpointMatrix values)
    {
        long count = (long)values.Rows * values.Columns;
        if (form == TensorForm.Grouped && count % _groups != 0)
            throw new FormatException($"{source.File}: the {count} values of tensor '{source.Name}' do not divide into {_groups} groups; use the config.json that belongs to the checkpoint.");
        return TensorRule.Dimensions(form, values.Rows, values.Columns, source.Shape.Count == 1, _groups);
    }

    private void RefuseUnexpected()
    {
        foreach ((string name, CheckpointTensor tensor) in _checkpoint.Weights.Tensors)
            if (!_used.Contains(name))
                throw new FormatException($"{tensor.File}: tensor '{HubConfig.Show(tensor.Name)}' has no place in architecture '{_checkpoint.Architecture.Id}' with this config.json; leaving it out would give wrong answers. Use the config.json that belongs to the checkpoint.");
    }
}
