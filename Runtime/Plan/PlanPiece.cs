namespace MambaRT.Plans;

/// <summary>A plan in the making of some ops of another: values, weights and states get numbers of their own, in the order in which they are met.</summary>
internal sealed class PlanPiece(Plan whole)
{
    private readonly Dictionary<int, int> _registers = [], _weights = [], _states = [];
    private readonly List<Op> _ops = [];

    /// <summary>The value under its number here.</summary>
    public Activation Value(Activation a) => a with { Register = Number(_registers, a.Register) };

    /// <inheritdoc cref="Value(Activation)"/>
    public Activation? Value(Activation? a) => a is Activation value ? Value(value) : null;

    /// <summary>The weight under its number here.</summary>
    public WeightRef Weight(WeightRef weight) => new(Number(_weights, weight.Index));

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
            Op moved = op.MoveTo(this);
            moved.Layer = op.Layer;
            _ops.Add(moved);
        }
        Activation[] handedOn = [.. carriedOut.Select(Value)];
        RegisterSpec[] registers = [.. Original(_registers).Select(i => whole.Registers[i])];
        WeightSpec[] weights = [.. Original(_weights).Select(i => whole.Weights[i])];
        var states = new StateLayout([.. Original(_states).Select(i => whole.States.Entries[i]).Select(s => (s.Name, s.Kind, s.Rows, s.Columns))]);
        return new Plan(whole.Architecture, [.. _ops], weights, registers, states, Value(logits), whole.VocabularySize, given, handedOn);
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
