using MambaRT.Formats;

namespace MambaRT.Plans;

/// <summary>Records a network. Every method checks widths at once and names the op or tensor when they disagree.</summary>
/// <remarks>Used by one thread, once; <see cref="Build"/> ends it.</remarks>
internal sealed class PlanBuilder
{
    /// <summary>Published models have 4 taps; backends keep a pointer to each on the stack.</summary>
    private const int MaxTaps = 256;

    private readonly IWeightSource? _source;
    private readonly Func<string, bool> _hasOptional = _ => false;
    private readonly int _vocabulary;
    private int? _layer;
    private int _lastLayer = -1;
    private readonly List<Op> _ops = [];
    private readonly List<WeightSpec> _weights = [];
    private readonly Dictionary<(string Name, int First, int Columns), int> _weightIndex = [];
    private readonly List<(string Name, StateKind Kind, int Rows, int Columns)> _states = [];
    private readonly List<RegisterSpec> _registers = [];

    /// <summary>Begins a plan for the model that <paramref name="metadata"/> and <paramref name="source"/> describe.</summary>
    public PlanBuilder(ModelMetadata metadata, IWeightSource source)
    {
        Metadata = metadata;
        _source = source;
    }

    /// <summary>Begins the plan of a model that is yet to be made: it has every weight that the definition must have, in the shape asked for.</summary>
    /// <param name="metadata">Its hyper-parameters.</param>
    /// <param name="vocabulary">Rows of its embedding.</param>
    /// <param name="hasOptional">Whether it has a weight that may be absent, by name.</param>
    internal PlanBuilder(ModelMetadata metadata, int vocabulary, Func<string, bool> hasOptional)
    {
        Metadata = metadata;
        (_vocabulary, _hasOptional) = (vocabulary, hasOptional);
    }

    /// <summary>Hyper-parameters by GGUF key.</summary>
    public ModelMetadata Metadata { get; }

    /// <summary>The layer that what is asked for and recorded from now on belongs to, from 0; null before the first layer and behind the last.</summary>
    /// <exception cref="ArgumentException">It is before the layer that is being recorded.</exception>
    public int? Layer
    {
        get => _layer;
        set
        {
            if (value < 0 || value <= _lastLayer && value != _layer)
                throw new ArgumentException($"Layer {value} of architecture '{Metadata.Architecture}' is recorded behind layer {_lastLayer}; layers are recorded in order, each once.");
            _layer = value;
            _lastLayer = value ?? _lastLayer;
        }
    }

    /// <summary>Rows of the embedding table: the vocabulary.</summary>
    public int RowsOf(string tensor) => _source is null ? _vocabulary : _source.TryGet(tensor, out TensorView view) ? view.Rows : throw Missing(tensor);

    /// <summary>Whether the model has a weight that may be absent.</summary>
    public bool Has(string name) => _source is null ? _hasOptional(name) : _source.TryGet(name, out _);

    /// <summary>A matrix that must be there.</summary>
    /// <param name="name">Its name in GGUF.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="role">What it does, by which its storage type is chosen.</param>
    public WeightRef Matrix(string name, int rows, int columns, WeightRole role) =>
        Find(name, rows, columns, role, mustBe: true) ?? throw Missing(name);

    /// <summary>Some columns of a matrix that must be there, for <see cref="Linear"/>: how a projection of several values side by side is read without joining them first.</summary>
    /// <param name="name">Its name in GGUF.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Columns of all of it.</param>
    /// <param name="role">What it does; the same for all of its columns.</param>
    /// <param name="first">The first that is wanted.</param>
    /// <param name="count">How many are wanted.</param>
    public WeightRef MatrixColumns(string name, int rows, int columns, WeightRole role, int first, int count) =>
        Find(name, rows, columns, role, mustBe: true, first, count) ?? throw Missing(name);

    /// <summary>A matrix that may be absent, such as an untied output head.</summary>
    public WeightRef? TryMatrix(string name, int rows, int columns, WeightRole role) => Find(name, rows, columns, role, mustBe: false);

    /// <summary>A vector that must be there, stored in any shape of that many values.</summary>
    public WeightRef Vector(string name, int length) => Find(name, 1, length, WeightRole.Vector, mustBe: true) ?? throw Missing(name);

    /// <summary>A vector that may be absent, such as a projection's bias.</summary>
    public WeightRef? TryVector(string name, int length) => Find(name, 1, length, WeightRole.Vector, mustBe: false);

    /// <summary>The window of a convolution: [channels, dConv−1].</summary>
    public StateRef ConvWindow(string name, int channels, int dConv) => AddState(name, StateKind.ConvWindow, channels, dConv - 1);

    /// <summary>The state of a scan: [channels, dState].</summary>
    public StateRef ScanState(string name, int channels, int dState) => AddState(name, StateKind.Scan, channels, dState);

    /// <summary>Records <see cref="EmbedOp"/>.</summary>
    public Activation Embed(string name, WeightRef table, float scale = 1)
    {
        RequireScale(name, scale);
        RequireWhole(name, table);
        return Record(new EmbedOp { Name = name, Table = table, Scale = scale, Output = New(_weights[table.Index].Columns, RowDomain.Tokens) });
    }

    /// <summary>Records <see cref="RmsNormOp"/>.</summary>
    public Activation RmsNorm(string name, Activation x, WeightRef? weight, float epsilon)
    {
        if (weight is WeightRef w) Require(name, "weight", Length(w), x.Width);
        return Record(new RmsNormOp { Name = name, X = x, Weight = weight, Epsilon = epsilon, Output = New(x.Width, x.Rows) });
    }

    /// <summary>Records <see cref="LinearOp"/>.</summary>
    public Activation Linear(string name, Activation x, WeightRef weight, WeightRef? bias = null, Activation? addTo = null, float scale = 1)
    {
        RequireScale(name, scale);
        WeightSpec w = _weights[weight.Index];
        Require(name, "input", x.Width, w.Columns);
        if (bias is WeightRef b) Require(name, "bias", Length(b), w.Rows);
        if (addTo is Activation a) Require(name, "addTo", a.Width, w.Rows);
        return Record(new LinearOp { Name = name, X = x, Weight = weight, Bias = bias, AddTo = addTo, Scale = scale, Output = New(w.Rows, x.Rows) });
    }

    /// <summary>Records <see cref="CausalConvOp"/>.</summary>
    public Activation CausalConv(string name, Activation x, WeightRef weight, WeightRef? bias, StateRef window)
    {
        WeightSpec w = _weights[weight.Index];
        Require(name, "taps", w.Rows, x.Width);
        if (w.Columns > MaxTaps)
            throw new NotSupportedException($"{Metadata.File.Subject}: '{name}' has {w.Columns} taps; MambaRT runs convolutions of up to {MaxTaps}. Choose another model.");
        if (bias is WeightRef b) Require(name, "bias", Length(b), x.Width);
        RequireState(name, window, StateKind.ConvWindow, x.Width, w.Columns - 1);
        return Record(new CausalConvOp { Name = name, X = x, Weight = weight, Bias = bias, Window = window, DConv = w.Columns, Output = New(x.Width, x.Rows) });
    }

    /// <summary>Records <see cref="SelectiveScanOp"/>.</summary>
    public Activation SelectiveScan(string name, Activation u, Activation dt, Activation B, Activation C, Activation z,
        WeightRef A, WeightRef D, WeightRef dtBias, StateRef state)
    {
        int dInner = u.Width, dState = B.Width;
        Require(name, "dt", dt.Width, dInner);
        Require(name, "z", z.Width, dInner);
        Require(name, "C", C.Width, dState);
        Require(name, "A", _weights[A.Index].Count, (long)dInner * dState);
        Require(name, "D", Length(D), dInner);
        Require(name, "dtBias", Length(dtBias), dInner);
        RequireState(name, state, StateKind.Scan, dInner, dState);
        return Record(new SelectiveScanOp
        {
            Name = name, U = u, Dt = dt, B = B, C = C, Z = z, A = A, D = D, DtBias = dtBias, State = state, DState = dState, Output = New(dInner, u.Rows),
        });
    }

    /// <summary>Records <see cref="SsdScanOp"/>.</summary>
    public Activation SsdScan(string name, Activation x, Activation dt, Activation B, Activation C,
        WeightRef A, WeightRef D, WeightRef dtBias, StateRef state, int nGroups)
    {
        int nHeads = dt.Width, dState = B.Width / nGroups;
        Require(name, "x", x.Width % nHeads, 0);
        Require(name, "heads of a group", nHeads % nGroups, 0);
        Require(name, "B", B.Width, nGroups * dState);
        Require(name, "C", C.Width, nGroups * dState);
        Require(name, "A", Length(A), nHeads);
        Require(name, "D", Length(D), nHeads);
        Require(name, "dtBias", Length(dtBias), nHeads);
        RequireState(name, state, StateKind.Scan, x.Width, dState);
        return Record(new SsdScanOp
        {
            Name = name, X = x, Dt = dt, B = B, C = C, A = A, D = D, DtBias = dtBias, State = state,
            NHeads = nHeads, HeadDim = x.Width / nHeads, NGroups = nGroups, DState = dState, Output = New(x.Width, x.Rows),
        });
    }

    /// <summary>Records <see cref="GatedRmsNormOp"/>.</summary>
    public Activation GatedRmsNorm(string name, Activation x, Activation z, WeightRef weight, int nGroups, float epsilon)
    {
        Require(name, "z", z.Width, x.Width);
        Require(name, "weight", Length(weight), x.Width);
        Require(name, "columns of a group", x.Width % nGroups, 0);
        return Record(new GatedRmsNormOp { Name = name, X = x, Z = z, Weight = weight, NGroups = nGroups, Epsilon = epsilon, Output = New(x.Width, x.Rows) });
    }

    /// <summary>Records <see cref="SelectOutputsOp"/>.</summary>
    public Activation SelectOutputs(string name, Activation x) =>
        Record(new SelectOutputsOp { Name = name, X = x, Output = New(x.Width, RowDomain.Outputs) });

    /// <summary>Ends the recording; <paramref name="logits"/> is the whole output of the last op, one row per wanted token.</summary>
    public Plan Build(Activation logits)
    {
        if (_ops.Count == 0 || _ops[^1].Output != logits || logits.Rows != RowDomain.Outputs)
            throw new ArgumentException($"Architecture '{Metadata.Architecture}' must end with the op that yields its logits, on Outputs rows.");
        return new Plan(Metadata.Architecture, [.. _ops], [.. _weights], [.. _registers], new StateLayout(_states), logits, logits.Width, [], []);
    }

    private WeightRef? Find(string name, int rows, int columns, WeightRole role, bool mustBe, int first = 0, int? count = null)
    {
        int wanted = count ?? columns;
        if (first < 0 || wanted < 1 || first > columns - wanted)
            throw new ArgumentException($"'{name}' has {columns} columns; {wanted} from {first} on are none of them.");
        if (_weightIndex.TryGetValue((name, first, wanted), out int known)) return new WeightRef(known);
        if (_source is null)
        {
            if (!mustBe && !_hasOptional(name)) return null;
        }
        else if (!_source.TryGet(name, out TensorView view)) return null;
        else if (role == WeightRole.Vector ? (long)view.Rows * view.Columns != columns : view.Rows != rows || view.Columns != columns)
            throw WrongShape(name, $"[{view.Rows}, {view.Columns}]", role == WeightRole.Vector ? $"{columns} values" : $"[{rows}, {columns}]");
        else if (first % view.Type.BlockLength != 0 || wanted % view.Type.BlockLength != 0)
            throw new FormatException($"{Metadata.File.Subject}: tensor '{name}' is stored in blocks of {view.Type.BlockLength} values ({view.Type}), but columns {first} to {first + wanted - 1} are read apart from the others; quantize the model again, from its F32, F16 or BF16 file.");
        _weightIndex.Add((name, first, wanted), _weights.Count);
        _weights.Add(new WeightSpec(name, rows, wanted, role, Layer) { FirstColumn = first, TensorColumns = columns });
        return new WeightRef(_weights.Count - 1);
    }

    private Activation Record(Op op)
    {
        op.Layer = Layer;
        _ops.Add(op);
        return op.Output;
    }

    private Activation New(int width, RowDomain rows)
    {
        _registers.Add(new RegisterSpec(width, rows, First: -1, Last: -1));
        return new Activation(_registers.Count - 1, 0, width, rows);
    }

    private StateRef AddState(string name, StateKind kind, int rows, int columns)
    {
        _states.Add((name, kind, rows, columns));
        return new StateRef(_states.Count - 1);
    }

    private long Length(WeightRef weight) => _weights[weight.Index].Count;

    private void Require(string op, string what, long found, long needed)
    {
        if (found != needed)
            throw new FormatException($"{Metadata.File.Subject}: '{op}' of architecture '{Metadata.Architecture}' got {found} for its {what}; it needs {needed}. Re-convert the model.");
    }

    private void RequireWhole(string op, WeightRef weight)
    {
        WeightSpec w = _weights[weight.Index];
        if (w != w.Whole) throw new ArgumentException($"'{op}' got some columns of '{w.Name}'; only Linear reads those.");
    }

    private void RequireScale(string op, float scale)
    {
        if (!float.IsFinite(scale) || scale == 0)
            throw new FormatException($"{Metadata.File.Subject}: '{op}' of architecture '{Metadata.Architecture}' got {scale} for its scale; it needs a finite number other than 0. Re-convert the model.");
    }

    private void RequireState(string op, StateRef state, StateKind kind, int rows, int columns)
    {
        (string name, StateKind k, int r, int c) = _states[state.Index];
        if (k != kind || r != rows || c != columns)
            throw new ArgumentException($"'{op}' needs a {kind} state [{rows}, {columns}]; '{name}' is a {k} state [{r}, {c}].");
    }

    private FormatException Missing(string tensor) =>
        new($"{Metadata.File.Subject}: tensor '{tensor}' is missing; architecture '{Metadata.Architecture}' needs it. Re-convert the model.");

    private FormatException WrongShape(string tensor, string found, string needed) =>
        new($"{Metadata.File.Subject}: tensor '{tensor}' is {found}; architecture '{Metadata.Architecture}' needs {needed}. Re-convert the model.");
}
