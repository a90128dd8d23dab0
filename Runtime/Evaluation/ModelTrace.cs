namespace MambaRT.Evaluation;

/// <summary>Follows a text through a model op by op, and finds the first op in which another run of it, as a rule on another backend, parts from it.</summary>
/// <remarks>Memory: for a comparison, what all ops of the other run yield for as many tokens as fit 128 MiB, but for one token in any case.</remarks>
public sealed class ModelTrace
{
    /// <summary>
    /// How much larger than the normalised error of its inputs that of an op's output may be by the inputs' share alone. Norms and residuals hand errors on;
    /// a product whose terms cancel, or a scan that lets an input's error add up, makes more of them.
    /// </summary>
    public const double Growth = 30;

    /// <summary>Values of the other run that are kept to be compared.</summary>
    private const int KeptFloats = 32 << 20;

    private readonly Model _model;
    private readonly Model? _basis;
    private readonly OpTrace[] _ops;
    private readonly int[] _makers;
    private readonly int _chunk;

    /// <summary>Prepares a trace.</summary>
    /// <param name="model">What is followed.</param>
    /// <param name="basis">The same network, opened on what is trusted; null compares with nothing.</param>
    /// <exception cref="ArgumentException">The two are different networks.</exception>
    public ModelTrace(Model model, Model? basis = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        (_model, _basis) = (model, basis);
        Plan plan = model.Plan;
        if (basis is not null) EnsureSame(plan, basis.Plan);
        _ops = new OpTrace[plan.Ops.Length];
        _makers = new int[plan.Registers.Length];
        long floats = 0;
        for (int i = 0; i < _ops.Length; i++)
        {
            Op op = plan.Ops[i];
            _ops[i] = new OpTrace(op, OpBounds.Of(op, plan, model.Weights));
            _makers[op.Output.Register] = i;
            floats += op.Output.Width;
        }
        _chunk = model.ChunkTokens;
        if (basis is not null) _chunk = (int)Math.Clamp(KeptFloats / floats, 1, Math.Min(_chunk, basis.ChunkTokens));
    }

    /// <summary>What was found of each op, in the plan's order. Where a run failed, those before have rows and those after have none.</summary>
    public IReadOnlyList<OpTrace> Ops => _ops;

    /// <summary>The first op that parts from the other run; null where none does.</summary>
    public OpTrace? FirstParting => Array.Find(_ops, op => op.Parts);

    /// <summary>Feeds a text from the zero state.</summary>
    /// <exception cref="NotSupportedException">A backend cannot show its ops.</exception>
    /// <exception cref="ArgumentException">A token is outside the vocabulary.</exception>
    /// <exception cref="FormatException">A weight or what was computed is not finite; <see cref="Ops"/> tells how it came to that.</exception>
    public void Run(ReadOnlySpan<int> tokens, CancellationToken cancel = default)
    {
        using Session session = _model.StartSession();
        using Session? basis = _basis?.StartSession();
        var kept = new Keeper(_ops.Length);
        for (int done = 0; done < tokens.Length; done += _chunk)
        {
            ReadOnlySpan<int> chunk = tokens.Slice(done, Math.Min(_chunk, tokens.Length - done));
            kept.Begin();
            basis?.Trace(chunk, kept, cancel);
            session.Trace(chunk, new Follower(this, basis is null ? null : kept), cancel);
        }
    }

    private static void EnsureSame(Plan plan, Plan basis)
    {
        bool same = plan.Ops.Length == basis.Ops.Length;
        for (int i = 0; same && i < plan.Ops.Length; i++)
            same = plan.Ops[i].Kind == basis.Ops[i].Kind && plan.Ops[i].Output == basis.Ops[i].Output;
        if (!same) throw new ArgumentException("The two models are different networks; a trace compares runs of one network, op by op.", nameof(basis));
    }

    private void Take(int index, ReadOnlySpan<float> values, float[]? basis)
    {
        _ops[index].Add(values);
        if (basis is null) return;
        double inputs = 0;
        foreach (Activation input in _ops[index].Op.Inputs) inputs = Math.Max(inputs, _ops[_makers[input.Register]].Error ?? 0);
        _ops[index].Compare(values, basis, Growth * inputs);
    }

    /// <summary>Keeps what the other run yields.</summary>
    private sealed class Keeper(int ops) : IOpObserver
    {
        private readonly float[][] _rows = new float[ops][];
        private int _next;

        public float[] this[int index] => _rows[index];

        public void Begin() => _next = 0;

        public void Observe(Op op, ReadOnlySpan<float> values) => _rows[_next++] = values.ToArray();
    }

    /// <summary>Takes in what the run that is followed yields.</summary>
    private sealed class Follower(ModelTrace trace, Keeper? basis) : IOpObserver
    {
        private int _next;

        public void Observe(Op op, ReadOnlySpan<float> values)
        {
            trace.Take(_next, values, basis?[_next]);
            _next++;
        }
    }
}
