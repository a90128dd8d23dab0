namespace MambaRT.Plans;

/// <summary>An architecture, recorded once: a straight line of ops. Immutable and device-free; safe to share between threads.</summary>
public sealed class Plan
{
    private readonly Op[] _ops;
    private readonly WeightSpec[] _weights;
    private readonly RegisterSpec[] _registers;
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);

    internal Plan(string architecture, Op[] ops, WeightSpec[] weights, RegisterSpec[] registers, int arenaFloatsPerRow, StateLayout states, Activation logits)
    {
        Architecture = architecture;
        _ops = ops;
        _weights = weights;
        _registers = registers;
        ArenaFloatsPerRow = arenaFloatsPerRow;
        States = states;
        Logits = logits;
        for (int i = 0; i < weights.Length; i++) _byName.Add(weights[i].Name, i);
    }

    /// <summary>The architecture's id, such as "mamba2".</summary>
    public string Architecture { get; }

    /// <summary>The ops, in order of execution.</summary>
    public ReadOnlySpan<Op> Ops => _ops;

    /// <summary>The weights, by <see cref="WeightRef.Index"/>.</summary>
    public ReadOnlySpan<WeightSpec> Weights => _weights;

    /// <summary>Where each value lives, by <see cref="Activation.Register"/>.</summary>
    public ReadOnlySpan<RegisterSpec> Registers => _registers;

    /// <summary>Floats of scratch per row of capacity, after lifetimes are packed.</summary>
    public int ArenaFloatsPerRow { get; }

    /// <summary>What one slot holds.</summary>
    public StateLayout States { get; }

    /// <summary>The result: [outputs, vocabulary].</summary>
    public Activation Logits { get; }

    /// <summary>Columns of the residual stream: what a token is looked up as.</summary>
    public int ModelWidth => _ops[0].Output.Width;

    /// <summary>Token ids the model knows.</summary>
    public int VocabularySize => Logits.Width;

    /// <summary>Finds a weight by its GGUF name.</summary>
    public bool TryFind(string name, out WeightSpec weight)
    {
        bool found = _byName.TryGetValue(name, out int index);
        weight = found ? _weights[index] : default;
        return found;
    }

    /// <summary>Calls the device's method for each op, in order.</summary>
    public void Visit(IScanContract device)
    {
        foreach (Op op in _ops) op.Accept(device);
    }
}
