using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Turns a plan into steps over an arena; decides which steps also round their output to 8 bit.</summary>
internal sealed unsafe class CpuCompiler : IScanContract, IDisposable
{
    private readonly CpuModel _model;
    private readonly Plan _plan;
    private readonly BatchRows _rows;
    private readonly float* _arena, _logits;
    private readonly int _capacity;
    private readonly List<Step> _steps = [];
    private readonly Dictionary<Activation, Step> _makers = [];
    private readonly Dictionary<Activation, QuantizedRows> _quantized = [];
    private readonly Dictionary<Activation, int> _madeAt = [], _lastRead = [];
    private readonly List<(QuantizedRows Rows, int BusyUntil)> _pool = [];
    private readonly WeightKernel?[] _kernels;
    private readonly NativeBuffer _scratch;
    private readonly long _scratchPerMember;

    public CpuCompiler(CpuModel model, BatchRows rows, float* arena, float* logits, int capacity)
    {
        (_model, _plan, _rows, _capacity) = (model, model.Plan, rows, capacity);
        _arena = arena;
        _logits = logits;
        _kernels = new WeightKernel?[_plan.Weights.Length];
        for (int i = 0; i < _plan.Ops.Length; i++)
        {
            Op op = _plan.Ops[i];
            _madeAt[op.Output] = i;
            if (op is not LinearOp linear) continue;
            WeightKernel kernel = _kernels[linear.Weight.Index] ??= WeightKernel.For(model.Views[linear.Weight.Index], model.Isa, model.Code);
            _scratchPerMember = Math.Max(_scratchPerMember, kernel.ScratchBytes);
            if (kernel.ReadsQuantized) _lastRead[linear.X] = i;
        }
        _scratchPerMember = (_scratchPerMember + 127) / 64 * 64;   // members never share a cache line
        _scratch = new NativeBuffer(_scratchPerMember * model.Team.Size, model.HostMemory);
        Parts = new OpSteps[_plan.Ops.Length];
        try
        {
            for (int i = 0, from = 0; i < Parts.Length; from = Parts[i++].End)
            {
                Op op = _plan.Ops[i];
                op.Accept(this);
                Parts[i] = new OpSteps(op, from, _steps.Count, At(op.Output));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
        Steps = [.. _steps];
        CarriedIn = Array.ConvertAll(_plan.CarriedIn.ToArray(), At);
        CarriedOut = Array.ConvertAll(_plan.CarriedOut.ToArray(), At);
    }

    public Step[] Steps { get; }

    /// <summary>Which of the steps each op became.</summary>
    public OpSteps[] Parts { get; }

    /// <summary>Where what the piece of the plan before hands on is put, and what this one hands on lies.</summary>
    public Matrix[] CarriedIn { get; }

    /// <inheritdoc cref="CarriedIn"/>
    public Matrix[] CarriedOut { get; }

    /// <summary>Bytes of panels, 8-bit rows and scan scratch.</summary>
    public long ScratchBytes => _scratch.Bytes + _pool.Sum(q => q.Rows.Bytes) + _steps.OfType<SsdScanStep>().Sum(s => s.ScratchBytes) + _steps.OfType<SelectiveScanStep>().Sum(s => s.ScratchBytes);

    public void Embed(EmbedOp op) =>
        _steps.Add(new EmbedStep(_rows, _model.Views[op.Table.Index], op.Scale, At(op.Output)) { Name = op.Name });

    public void RmsNorm(RmsNormOp op) =>
        Add(op, new RmsNormStep(_model.Finite, _rows, op.X.Rows, At(op.X), op.Weight is WeightRef w ? _model.Decoded(w) : null, op.Epsilon, At(op.Output)) { Name = op.Name });

    public void GatedRmsNorm(GatedRmsNormOp op) =>
        Add(op, new GatedRmsNormStep(_model.Finite, _rows, op.X.Rows, At(op.X), At(op.Z), _model.Decoded(op.Weight), op.NGroups, op.Epsilon, At(op.Output)) { Name = op.Name });

    public void CausalConv(CausalConvOp op) => Add(op, new ConvStep(_model, _rows, op, At(op.X), At(op.Output)) { Name = op.Name });

    public void SelectiveScan(SelectiveScanOp op) =>
        Add(op, new SelectiveScanStep(_model, _rows, op, At(op.U), At(op.Dt), At(op.B), At(op.C), At(op.Z), At(op.Output)) { Name = op.Name });

    public void SsdScan(SsdScanOp op) =>
        Add(op, new SsdScanStep(_model, _rows, op, At(op.X), At(op.Dt), At(op.B), At(op.C), At(op.Output), _capacity) { Name = op.Name });

    public void SelectOutputs(SelectOutputsOp op) => Add(op, new SelectStep(_rows, At(op.X), At(op.Output)) { Name = op.Name });

    public void Linear(LinearOp op)
    {
        if (_model.Observer is { } observer) _steps.Add(new ObserveStep(_rows, op.X.Rows, At(op.X), op.Weight, observer) { Name = op.Name + ".observe" });
        WeightKernel kernel = _kernels[op.Weight.Index]!;   // the constructor made one for every projection
        var input = new LinearInput(At(op.X), kernel.ReadsQuantized ? Quantized(op) : null);
        float* bias = op.Bias is WeightRef b ? _model.Decoded(b) : null;
        Matrix y = At(op.Output), addTo = op.AddTo is Activation a ? At(a) : default;
        // A scale is rare: kernels do without, and a step of its own finishes.
        Epilogue store = op.Scale == 1 ? new Epilogue(y, bias, addTo) : new Epilogue(y, null, default);
        Add(op, new LinearStep(_model, _rows, op, kernel, input, store, (byte*)_scratch.Address, _scratchPerMember) { Name = op.Name });
        if (op.Scale != 1) Add(op, new ScaleStep(_rows, op.Output.Rows, op.Scale, bias, addTo, y) { Name = op.Name + ".scale" });
    }

    public void Dispose()
    {
        _scratch.Dispose();
        foreach ((QuantizedRows rows, _) in _pool) rows.Dispose();
        foreach (IDisposable step in _steps.OfType<IDisposable>()) step.Dispose();
    }

    private void Add(Op op, Step step)
    {
        _steps.Add(step);
        _makers[op.Output] = step;
    }

    /// <summary>The 8-bit copy of a value: made by the step that makes the value where that can, else by a step of its own.</summary>
    private QuantizedRows Quantized(LinearOp reader)
    {
        Activation x = reader.X;
        if (_quantized.TryGetValue(x, out QuantizedRows? known)) return known;
        bool made = _makers.TryGetValue(x, out Step? maker) & maker is IQuantizingStep;
        QuantizedRows rows = Take(x, made ? _madeAt[x] : _madeAt[reader.Output]);
        _quantized[x] = rows;
        if (made) ((IQuantizingStep)maker!).Quantized = rows;   // made: there is one
        else _steps.Add(new QuantizeStep(_rows, x.Rows, At(x), rows) { Name = reader.Name + ".round" });
        return rows;
    }

    /// <summary>Values of one width that never live at the same time share a buffer.</summary>
    private QuantizedRows Take(Activation x, int from)
    {
        for (int i = 0; i < _pool.Count; i++)
        {
            (QuantizedRows rows, int busyUntil) = _pool[i];
            if (rows.Width != x.Width || busyUntil >= from) continue;
            _pool[i] = (rows, _lastRead[x]);
            return rows;
        }
        var added = new QuantizedRows(_capacity, x.Width, _model.Code, _model.HostMemory);
        _pool.Add((added, _lastRead[x]));
        return added;
    }

    private Matrix At(Activation a)
    {
        int offset = _model.Layout.Offset(a.Register);
        return new Matrix((offset < 0 ? _logits : _arena + (long)offset * _capacity) + a.Offset, _model.Layout.Stride(a.Register), a.Width);
    }
}
