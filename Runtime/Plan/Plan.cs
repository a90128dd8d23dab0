namespace MambaRT.Plans;

/// <summary>An architecture, recorded once: a straight line of ops; or a piece of one, see <see cref="Cut"/>. Immutable and device-free; safe to share between threads.</summary>
public sealed class Plan
{
    private readonly Op[] _ops;
    private readonly WeightSpec[] _weights;
    private readonly RegisterSpec[] _registers;
    private readonly Activation[] _carriedIn, _carriedOut;
    private readonly int[] _layers;
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);

    internal Plan(string architecture, Op[] ops, WeightSpec[] weights, RegisterSpec[] registers, StateLayout states, Activation? logits, int vocabularySize,
        Activation[] carriedIn, Activation[] carriedOut)
    {
        Architecture = architecture;
        _ops = ops;
        _weights = weights;
        _registers = registers;
        (_carriedIn, _carriedOut) = (carriedIn, carriedOut);
        _layers = [.. ops.Select(op => op.Layer).OfType<int>().Distinct()];
        States = states;
        Logits = logits;
        VocabularySize = vocabularySize;
        for (int i = 0; i < weights.Length; i++) _byName.TryAdd(weights[i].Name, i);   // the first of several windows
        SetLifetimes();
    }

    /// <summary>The architecture's id, such as "mamba2".</summary>
    public string Architecture { get; }

    /// <summary>The ops, in order of execution.</summary>
    public ReadOnlySpan<Op> Ops => _ops;

    /// <summary>The layers that ops belong to, in order: where it can be cut, but for the first.</summary>
    public ReadOnlySpan<int> Layers => _layers;

    /// <summary>The weights, by <see cref="WeightRef.Index"/>.</summary>
    public ReadOnlySpan<WeightSpec> Weights => _weights;

    /// <summary>Width and lifetime of each value, by <see cref="Activation.Register"/>; <see cref="ArenaLayout"/> packs them.</summary>
    public ReadOnlySpan<RegisterSpec> Registers => _registers;

    /// <summary>Values that the piece before has computed: whole ones, on Tokens rows, in the order of <see cref="Batch.Carried"/>. None where a plan is whole.</summary>
    public ReadOnlySpan<Activation> CarriedIn => _carriedIn;

    /// <summary>Values that the next piece needs, in the order of <see cref="RunOutput.Carried"/>. None where a plan is whole.</summary>
    public ReadOnlySpan<Activation> CarriedOut => _carriedOut;

    /// <summary>Floats a row that <see cref="CarriedIn"/> takes.</summary>
    public int CarriedInWidth => WidthOf(_carriedIn);

    /// <summary>Floats a row that <see cref="CarriedOut"/> yields.</summary>
    public int CarriedOutWidth => WidthOf(_carriedOut);

    /// <summary>What one slot holds.</summary>
    public StateLayout States { get; }

    /// <summary>The result: [outputs, vocabulary]; null for a piece that ends before the head.</summary>
    public Activation? Logits { get; }

    /// <summary>Columns of the residual stream: what a token is looked up as.</summary>
    public int ModelWidth => _ops[0].Output.Width;

    /// <summary>Token ids the model knows.</summary>
    public int VocabularySize { get; }

    /// <summary>Finds a tensor that the plan reads, or columns of which it reads, by its GGUF name.</summary>
    public bool TryFind(string name, out WeightSpec weight)
    {
        bool found = _byName.TryGetValue(name, out int index);
        weight = found ? _weights[index].Whole : default;
        return found;
    }

    /// <summary>A weight that it has.</summary>
    internal WeightRef IndexOf(WeightSpec weight) => new(Array.FindIndex(_weights, w => (w.Name, w.FirstColumn, w.Columns) == (weight.Name, weight.FirstColumn, weight.Columns)));

    /// <summary>Columns that a tensor's blocks must divide, or be: all of them, or where windows begin and end the greatest common divisor of those.</summary>
    internal int ColumnsTogether(string tensor)
    {
        int together = 0;
        foreach (WeightSpec weight in _weights)
            if (weight.Name == tensor) together = Common(Common(together, weight.FirstColumn), Common(weight.Columns, weight.TensorColumns));
        return together;

        static int Common(int a, int b) => b == 0 ? a : Common(b, a % b);
    }

    /// <summary>Calls the device's method for each op, in order.</summary>
    public void Visit(IScanContract device)
    {
        foreach (Op op in _ops) op.Accept(device);
    }

    /// <summary>
    /// Cuts at a layer into two plans, each with the weights and states of its own ops, to be run one after the other over the same batches: what the first
    /// hands on (<see cref="RunOutput.Carried"/>) is given to the second (<see cref="Batch.Carried"/>). A piece may be cut again.
    /// </summary>
    /// <param name="layer">The first layer of the second plan.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such layer, or it is the first one.</exception>
    public (Plan First, Plan Second) Cut(int layer)
    {
        int at = Array.FindIndex(_ops, op => op.Layer == layer), first = Array.FindIndex(_ops, op => op.Layer is not null);
        if (at <= first)
            throw new ArgumentOutOfRangeException(nameof(layer), $"The plan of '{Architecture}' cannot be cut at layer {layer}; {Cuts()}.");
        Activation[] crossing = [.. Crossing(at)];
        return (new PlanPiece(this).Of(_ops.AsSpan(0, at), _carriedIn, crossing, null),
            new PlanPiece(this).Of(_ops.AsSpan(at), crossing, _carriedOut, Logits));
    }

    /// <summary>Where it can be cut, for messages.</summary>
    private string Cuts()
    {
        int[] layers = [.. _ops.Where(op => op.Layer is not null).Select(op => op.Layer!.Value).Distinct().Skip(1)];   // those without one are left out
        return layers.Length == 0 ? "it has no two layers, and runs whole" : $"it can at layer {layers[0]} to {layers[^1]}";
    }

    /// <summary>The values that are there before an op and are read by it or a later one.</summary>
    private IEnumerable<Activation> Crossing(int op)
    {
        for (int i = 0; i < _registers.Length; i++)
            if (_registers[i].First < op && _registers[i].Last >= op) yield return new Activation(i, 0, _registers[i].Width, _registers[i].Rows);
    }

    private static int WidthOf(Activation[] values)
    {
        int width = 0;
        foreach (Activation value in values) width = checked(width + value.Width);
        return width;
    }

    private void SetLifetimes()
    {
        foreach (Activation carried in _carriedIn) _registers[carried.Register] = _registers[carried.Register] with { First = -1, Last = -1 };
        for (int i = 0; i < _ops.Length; i++)
        {
            foreach (Activation input in _ops[i].Inputs) _registers[input.Register] = _registers[input.Register] with { Last = i };
            int output = _ops[i].Output.Register;
            _registers[output] = _registers[output] with { First = i, Last = i };
        }
        foreach (Activation carried in _carriedOut) _registers[carried.Register] = _registers[carried.Register] with { Last = _ops.Length };
        if (Logits is Activation logits) _registers[logits.Register] = _registers[logits.Register] with { Last = _ops.Length };
    }
}
