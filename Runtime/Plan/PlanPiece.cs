namespace MambaRT.Plans;

/// <summary>A plan in the making of some ops of another: values, weights and states get numbers of their own, in the order in which they are met.</summary>
internal sealed class PlanPiece(Plan whole)
{
    private readonly Dictionary<int, int> _registers = [], _weights = [], _states = [];
    private readonly List<Op> _ops = [];
    private readonly HashSet<Activation> _values = [];
    private readonly HashSet<WeightRef> _read = [];

    /// <summary>The value under its number here.</summary>
    public Activation Value(Activation a)
    {
        _values.Add(a);
        return a with { Register = Number(_registers, a.Register) };
    }

    /// <inheritdoc cref="Value(Activation)"/>
    public Activation? Value(Activation? a) => a is Activation value ? Value(value) : null;

    /// <summary>The weight under its number here.</summary>
    public WeightRef Weight(WeightRef weight)
    {
        _read.Add(weight);
        return new WeightRef(Number(_weights, weight.Index));
    }

    /// <inheritdoc cref="Weight(WeightRef)"/>
    public WeightRef? Weight(WeightRef? weight) => weight is WeightRef value ? Weight(value) : null;

    /// <summary>The state under its number here.</summary>
    public StateRef State(StateRef state) => new(Number(_states, state.Index));

    /// <summary>Makes the plan.</summary>
    /// <param name="ops">What it runs.</param>
    /// <param name="carriedIn">Values that it is given.</param>
    /// <param name="carriedOut">Values that it hands on.</param>
    /// <param name="logits">The result, where it yields one.</param>
    public Plan Of(ReadOnlySpan<Op> ops, IEnumerable<Activation> carriedIn, IEnumerable<Activation> carriedOut, Activation? logits)
    {
        Activation[] given = [.. carriedIn.Select(Value)];
        foreach (Op op in ops)
        {
            Op moved = Move(op);
            moved.Layer = op.Layer;
            _ops.Add(moved);
        }
        Activation[] handedOn = [.. carriedOut.Select(Value)];
        RegisterSpec[] registers = [.. Original(_registers).Select(i => whole.Registers[i])];
        WeightSpec[] weights = [.. Original(_weights).Select(i => whole.Weights[i])];
        var states = new StateLayout([.. Original(_states).Select(i => whole.States.Entries[i]).Select(s => (s.Name, s.Kind, s.Rows, s.Columns))]);
        return new Plan(whole.Architecture, [.. _ops], weights, registers, states, Value(logits), whole.VocabularySize, given, handedOn);
    }

    /// <summary>Moves an op, and sees that it lists what it reads: lifetimes and what is decoded at load are taken from these lists.</summary>
    private Op Move(Op op)
    {
        _values.Clear();
        _read.Clear();
        Op moved = op.MoveTo(this);
        if (!_values.SetEquals(op.Inputs.Append(op.Output)))
            throw new InvalidOperationException($"Op '{op.Name}' ({op.Kind}) moves other values than it lists as its Inputs and Output; list each.");
        return _read.SetEquals(op.Weights) ? moved
            : throw new InvalidOperationException($"Op '{op.Name}' ({op.Kind}) moves other weights than it lists as its Weights; list each.");
    }

    private static int Number(Dictionary<int, int> numbers, int original)
    {
        if (numbers.TryGetValue(original, out int known)) return known;
        numbers.Add(original, numbers.Count);
        return numbers.Count - 1;
    }

    /// <summary>What was numbered, by number.</summary>
    private static IEnumerable<int> Original(Dictionary<int, int> numbers) => numbers.OrderBy(n => n.Value).Select(n => n.Key);
}
