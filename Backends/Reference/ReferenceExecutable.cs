namespace MambaRT.Backends.Reference;

/// <summary>Runs a plan op by op in plain loops. Each method is the formula of its op and nothing else.</summary>
internal sealed class ReferenceExecutable : ITracedExecutable, IScanContract
{
    private readonly ReferenceModel _model;
    private readonly Plan _plan;
    private readonly float[] _arena;
    private readonly ArenaLayout _layout;
    private readonly float[] _logits;
    private readonly float[] _carried;
    private readonly float[] _row;
    private readonly int[] _tokens;
    private readonly SequenceSpan[] _spans;
    private readonly HostPicks _picks;
    private int _rows, _outputs, _sequences;
    private bool _wantsLogits;

    public ReferenceExecutable(ReferenceModel model, BatchShape shape)
    {
        _model = model;
        _plan = model.Plan;
        Shape = shape;
        _layout = new ArenaLayout(_plan, width => width);
        int arena = checked(_layout.FloatsPerRow * Math.Max(shape.Tokens, shape.Outputs)), logits = _plan.Logits is null ? 0 : checked(_plan.VocabularySize * shape.Outputs);
        model.ScratchFloats += (long)arena + logits;
        _arena = new float[arena];
        _logits = new float[logits];
        _carried = new float[checked(_plan.CarriedOutWidth * shape.Tokens)];
        _tokens = new int[shape.Tokens];
        _spans = new SequenceSpan[shape.Sequences];
        int widest = 1;
        foreach (WeightSpec w in _plan.Weights) widest = Math.Max(widest, w.Columns);
        _row = new float[widest];
        _picks = new HostPicks(shape.Sequences, model.NeverPicked, model.EndTokens);
    }

    public BatchShape Shape { get; }

    public RunTicket Start(scoped Batch batch, CancellationToken cancel = default) => Run(batch, null, cancel);

    public RunTicket StartTraced(scoped Batch batch, IOpObserver observer, CancellationToken cancel = default) => Run(batch, observer, cancel);

    private RunTicket Run(scoped in Batch batch, IOpObserver? observer, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _outputs = _model.Table.Check(batch, Shape, _plan);
        _model.EnsureReadable();
        _rows = batch.Tokens.Length;
        _sequences = batch.Sequences.Length;
        batch.Tokens.CopyTo(_tokens);
        for (int i = 0; i < batch.Sequences.Length; i++) _spans[i] = _model.Table.Resolve(batch.Sequences[i], ref _tokens[batch.Sequences[i].Start]);
        TakeCarried(batch.Carried);
        try
        {
            foreach (Op op in _plan.Ops)
            {
                cancel.ThrowIfCancellationRequested();
                op.Accept(this);
                observer?.Observe(op, Copy(op.Output));
            }
            _model.Table.Advance(batch);
            _picks.Pick(++_model.Runs, batch, LogitRows, _model.Table);
        }
        catch
        {
            _model.Table.Lose(batch.Sequences);
            throw;
        }
        _wantsLogits = batch.WantsLogits;
        return new RunTicket(_model.Runs);
    }

    public RunOutput Await(RunTicket run) => new(_wantsLogits ? LogitRows : default, _picks.Of(run), HandOn()) { IsFinite = _wantsLogits ? null : _picks.AreFinite(run) };

    public void Embed(EmbedOp op)
    {
        for (int t = 0; t < _rows; t++)
        {
            Span<float> y = Row(op.Output, t);
            _model.Views[op.Table.Index].DecodeRow(_tokens[t], y);
            foreach (ref float value in y) value *= op.Scale;
        }
    }

    public void RmsNorm(RmsNormOp op)
    {
        float[]? weight = op.Weight is WeightRef w ? _model.Decoded[w.Index] : null;
        for (int t = 0; t < RowsOf(op.X); t++)
        {
            ReadOnlySpan<float> x = Row(op.X, t);
            Span<float> y = Row(op.Output, t);
            double scale = 1 / Math.Sqrt(MeanSquare(op, x) + op.Epsilon);
            for (int i = 0; i < x.Length; i++) y[i] = (float)(x[i] * scale * (weight is null ? 1 : weight[i]));
        }
    }

    public void Linear(LinearOp op)
    {
        if (_model.Observer is { } observer)
            for (int t = 0; t < RowsOf(op.X); t++) observer.Observe(op.Weight, Row(op.X, t));
        _model.Finite.Check(op.Weight, 0, op.Output.Width);
        Span<float> weight = _row.AsSpan(0, op.X.Width);
        float[]? bias = op.Bias is WeightRef b ? _model.Decoded[b.Index] : null;
        for (int r = 0; r < op.Output.Width; r++)
        {
            _model.Views[op.Weight.Index].DecodeRow(r, weight);
            for (int t = 0; t < RowsOf(op.X); t++)
            {
                double sum = Dot(weight, Row(op.X, t));
                if (bias is not null) sum += bias[r];
                sum *= op.Scale;
                // The output may lie in addTo's memory: each element is read before it is written.
                if (op.AddTo is Activation residual) sum += Row(residual, t)[r];
                Row(op.Output, t)[r] = (float)sum;
            }
        }
    }

    public void CausalConv(CausalConvOp op)
    {
        float[] weight = _model.Decoded[op.Weight.Index];
        float[]? bias = op.Bias is WeightRef b ? _model.Decoded[b.Index] : null;
        int past = op.DConv - 1;
        foreach (SequenceSpan span in Spans)
        {
            Span<float> window = _model.State(span.Slot, op.Window);
            for (int c = 0; c < op.X.Width; c++)
            {
                Span<float> w = window.Slice(c * past, past);
                for (int t = span.Start; t < span.Start + span.Count; t++)
                {
                    float x = Row(op.X, t)[c];
                    double sum = bias is null ? 0 : bias[c];
                    for (int k = 0; k < past; k++) sum += (double)weight[c * op.DConv + k] * w[k];
                    sum += (double)weight[c * op.DConv + past] * x;
                    Row(op.Output, t)[c] = (float)Silu(sum);
                    if (past == 0) continue;
                    w[1..].CopyTo(w);
                    w[^1] = x;
                }
            }
        }
    }

    public void SelectiveScan(SelectiveScanOp op)
    {
        int n = op.DState;
        float[] A = _model.Decoded[op.A.Index], D = _model.Decoded[op.D.Index], dtBias = _model.Decoded[op.DtBias.Index];
        foreach (SequenceSpan span in Spans)
        {
            Span<float> h = _model.State(span.Slot, op.State);
            for (int t = span.Start; t < span.Start + span.Count; t++)
            {
                ReadOnlySpan<float> u = Row(op.U, t), dt = Row(op.Dt, t), B = Row(op.B, t), C = Row(op.C, t), z = Row(op.Z, t);
                Span<float> y = Row(op.Output, t);
                for (int d = 0; d < u.Length; d++)
                {
                    double delta = Softplus((double)dt[d] + dtBias[d]), sum = 0;
                    for (int i = 0; i < n; i++)
                    {
                        ref float state = ref h[d * n + i];
                        state = (float)(state * Math.Exp(delta * A[d * n + i]) + delta * B[i] * u[d]);
                        sum += (double)state * C[i];
                    }
                    y[d] = (float)((sum + (double)D[d] * u[d]) * Silu(z[d]));
                }
            }
        }
    }

    public void SsdScan(SsdScanOp op)
    {
        int n = op.DState, headsPerGroup = op.NHeads / op.NGroups;
        float[] A = _model.Decoded[op.A.Index], D = _model.Decoded[op.D.Index], dtBias = _model.Decoded[op.DtBias.Index];
        foreach (SequenceSpan span in Spans)
        {
            Span<float> h = _model.State(span.Slot, op.State);
            for (int t = span.Start; t < span.Start + span.Count; t++)
            {
                ReadOnlySpan<float> x = Row(op.X, t), dt = Row(op.Dt, t);
                Span<float> y = Row(op.Output, t);
                for (int d = 0; d < x.Length; d++)
                {
                    int head = d / op.HeadDim, group = head / headsPerGroup;
                    ReadOnlySpan<float> B = Row(op.B, t).Slice(group * n, n), C = Row(op.C, t).Slice(group * n, n);
                    double delta = Softplus((double)dt[head] + dtBias[head]), decay = Math.Exp(delta * A[head]), sum = 0;
                    for (int i = 0; i < n; i++)
                    {
                        ref float state = ref h[d * n + i];
                        state = (float)(state * decay + delta * B[i] * x[d]);
                        sum += (double)state * C[i];
                    }
                    y[d] = (float)(sum + (double)D[head] * x[d]);
                }
            }
        }
    }

    public void GatedRmsNorm(GatedRmsNormOp op)
    {
        float[] weight = _model.Decoded[op.Weight.Index];
        int width = op.X.Width / op.NGroups;
        for (int t = 0; t < RowsOf(op.X); t++)
        {
            Span<float> y = Row(op.Output, t);
            ReadOnlySpan<float> x = Row(op.X, t), z = Row(op.Z, t);
            for (int i = 0; i < y.Length; i++) y[i] = (float)(x[i] * Silu(z[i]));
            for (int g = 0; g < op.NGroups; g++)
            {
                Span<float> part = y.Slice(g * width, width);
                double scale = 1 / Math.Sqrt(MeanSquare(op, part) + op.Epsilon);
                for (int i = 0; i < width; i++) part[i] = (float)(part[i] * scale * weight[g * width + i]);
            }
        }
    }

    public void SelectOutputs(SelectOutputsOp op)
    {
        int next = 0;
        foreach (SequenceSpan span in Spans)
            for (int i = span.Count - span.OutputCount; i < span.Count; i++)
                Row(op.X, span.Start + i).CopyTo(Row(op.Output, next++));
    }

    public void Dispose() => _model.ScratchFloats -= _arena.Length + _logits.Length;

    private ReadOnlySpan<float> LogitRows => _logits.AsSpan(0, _plan.Logits is null ? 0 : _outputs * _plan.VocabularySize);

    private void TakeCarried(ReadOnlySpan<float> from)
    {
        foreach (Activation value in _plan.CarriedIn)
            for (int t = 0; t < _rows; t++, from = from[value.Width..]) from[..value.Width].CopyTo(Row(value, t));
    }

    private ReadOnlySpan<float> HandOn()
    {
        Span<float> to = _carried;
        foreach (Activation value in _plan.CarriedOut)
            for (int t = 0; t < _rows; t++, to = to[value.Width..]) Row(value, t).CopyTo(to);
        return _carried.AsSpan(0, _carried.Length - to.Length);
    }

    private ReadOnlySpan<SequenceSpan> Spans => _spans.AsSpan(0, _sequences);

    private int RowsOf(Activation a) => a.Rows == RowDomain.Tokens ? _rows : _outputs;

    private Span<float> Row(Activation a, int row)
    {
        RegisterSpec register = _plan.Registers[a.Register];
        (float[] memory, int start) = _layout.Offset(a.Register) is >= 0 and int offset ? (_arena, offset * Math.Max(Shape.Tokens, Shape.Outputs)) : (_logits, 0);
        return memory.AsSpan(start + row * register.Width + a.Offset, a.Width);
    }

    private float[] Copy(Activation a)
    {
        float[] rows = new float[RowsOf(a) * a.Width];
        for (int t = 0; t < RowsOf(a); t++) Row(a, t).CopyTo(rows.AsSpan(t * a.Width));
        return rows;
    }

    /// <summary>Four partial sums, so that the additions do not wait for each other.</summary>
    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        int i = 0;
        for (; i + 4 <= a.Length && i + 4 <= b.Length; i += 4)
        {
            s0 += (double)a[i] * b[i];
            s1 += (double)a[i + 1] * b[i + 1];
            s2 += (double)a[i + 2] * b[i + 2];
            s3 += (double)a[i + 3] * b[i + 3];
        }
        for (; i < a.Length; i++) s0 += (double)a[i] * b[i];
        return s0 + s1 + (s2 + s3);
    }

    private double MeanSquare(Op op, ReadOnlySpan<float> x)
    {
        double sum = 0;
        foreach (float value in x) sum += (double)value * value;
        if (!double.IsFinite(sum)) throw _model.Finite.Overflow(op.Name);
        return sum / x.Length;
    }

    private static double Silu(double x) => x / (1 + Math.Exp(-x));

    private static double Softplus(double x) => x > 20 ? x : Math.Log(1 + Math.Exp(x));
}
