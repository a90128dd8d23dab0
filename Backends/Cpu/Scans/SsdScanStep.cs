using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// <see cref="SsdScanOp"/>: a unit is a block of rows of one head over all sequences. With emitted code lanes are rows and h lies as
/// <see cref="LaneLayout"/> says. In the plain form lanes are states, h lies as [nHeads·headDim, dState], and a unit's share of it (16 rows) stays in the
/// first-level cache over all tokens.
/// </summary>
internal sealed unsafe class SsdScanStep : Step, IDisposable
{
    /// <summary>Rows of a unit: of the plain form, and of the emitted one.</summary>
    private const int PlainRows = 16, EmittedRows = SsdScanCode.Lanes * SsdScanCode.GroupsTogether;

    /// <summary>Bytes of scratch of the emitted form and one member: what lies between passes, then the schedule.</summary>
    private const long BetweenBytes = SsdSchedule.Tokens * SsdScanCode.BetweenFloats * sizeof(float), EmittedScratch = BetweenBytes + SsdSchedule.Bytes;

    private readonly CpuModel _model;
    private readonly BatchRows _rows;
    private readonly SsdScanOp _op;
    private readonly Matrix _x, _dt, _b, _c, _y;
    private readonly float* _a, _d, _dtBias;
    private readonly int _unitsPerHead, _rowsPerUnit;
    private readonly NativeBuffer _steps;
    private readonly int _capacity;
    private readonly nint[] _passes = [];
    private readonly nint _token;
    private readonly LaneLayout _layout;

    public SsdScanStep(CpuModel model, BatchRows rows, SsdScanOp op, Matrix x, Matrix dt, Matrix B, Matrix C, Matrix y, int capacity)
    {
        (_model, _rows, _op, _x, _dt, _b, _c, _y) = (model, rows, op, x, dt, B, C, y);
        _a = model.Decoded(op.A);
        _d = model.Decoded(op.D);
        _dtBias = model.Decoded(op.DtBias);
        _rowsPerUnit = model.Code != null ? EmittedRows : PlainRows;
        _unitsPerHead = Cover(op.HeadDim, _rowsPerUnit);
        _capacity = capacity;
        _layout = new LaneLayout(SsdScanCode.Lanes, op.HeadDim, op.DState);
        if (model.Code != null)
        {
            _passes = Emit(model.Code);
            _token = (nint)model.Code.Get(new SsdTokenShape(op.DState), SsdTokenCode.Emit);
        }
        _steps = new NativeBuffer(model.Team.Size * (model.Code != null ? EmittedScratch : 2L * capacity * sizeof(float)), model.HostMemory);
    }

    /// <summary>Bytes of scratch: for each member Δ and decay per token, or what <see cref="SsdScanCode"/> needs.</summary>
    public long ScratchBytes => _steps.Bytes;

    public override int Units => _op.NHeads * _unitsPerHead;

    public override void Run(int unit, int member)
    {
        int head = unit / _unitsPerHead, first = unit % _unitsPerHead * _rowsPerUnit, count = Math.Min(_rowsPerUnit, _op.HeadDim - first);
        if (_passes.Length > 0) RunEmitted(head, first, count, member);
        else RunPlain(head, first, count, member);
    }

    public void Dispose() => _steps.Dispose();

    /// <summary>The code of each pass over the states, for one group and for two.</summary>
    private nint[] Emit(CodeCache code)
    {
        nint[] passes = new nint[SsdScanCode.GroupsTogether * Cover(_op.DState, SsdScanCode.StatesTogether)];
        for (int i = 0; i < passes.Length; i++)
        {
            int from = i / SsdScanCode.GroupsTogether * SsdScanCode.StatesTogether, states = Math.Min(SsdScanCode.StatesTogether, _op.DState - from);
            var shape = new SsdScanShape(_op.DState, i % SsdScanCode.GroupsTogether + 1, states, First: from == 0, Last: from + states == _op.DState);
            passes[i] = (nint)code.Get(shape, SsdScanCode.Emit);
        }
        return passes;
    }

    private void RunEmitted(int head, int row, int count, int member)
    {
        int channel = head * _op.HeadDim + row;
        foreach (SequenceSpan span in _rows.Spans)
        {
            float* h = _model.State(span.Slot, _op.State) + _layout.Index(channel, 0);
            if (span.Count == 1) RunToken(head, channel, count, span.Start, h);
            else RunTokens(head, channel, count, span, h, (byte*)_steps.Address + EmittedScratch * member);
        }
    }

    /// <summary>One token of a sequence, group by group.</summary>
    private void RunToken(int head, int channel, int count, int t, float* h)
    {
        Vector256<float> delta = VectorMath.Softplus(Vector256.Create(_dt.Row(t)[head] + _dtBias[head]));
        float step = delta.ToScalar(), decay = VectorMath.Exp2(delta * Vector256.Create((float)(_a[head] * Math.Log2(Math.E)))).ToScalar();
        int bc = head / (_op.NHeads / _op.NGroups) * _op.DState;
        for (int done = 0; done < count; done += SsdScanCode.Lanes)
        {
            var arguments = new SsdTokenArguments
            {
                X = _x.Row(t) + channel + done, Y = _y.Row(t) + channel + done, B = _b.Row(t) + bc, C = _c.Row(t) + bc, H = h + done * _op.DState,
                Delta = &step, Decay = &decay, D = _d + head, LaneMask = Mask.OfLanes(count - done),
            };
            ((delegate* unmanaged<void*, void>)_token)(&arguments);
        }
    }

    /// <summary>Several tokens of a sequence, as many at a time as a schedule holds.</summary>
    private void RunTokens(int head, int channel, int count, SequenceSpan span, float* h, byte* scratch)
    {
        var schedule = new SsdSchedule(scratch + BetweenBytes);
        int bc = head / (_op.NHeads / _op.NGroups) * _op.DState;
        for (int t = span.Start, end = span.Start + span.Count; t < end; t += SsdSchedule.Tokens)
        {
            int tokens = Math.Min(SsdSchedule.Tokens, end - t);
            int segments = schedule.Fill(_dt.Row(t) + head, _dt.Stride, tokens, _dtBias[head], _a[head], _d[head]);
            var arguments = new SsdScanArguments
            {
                X = _x.Row(t) + channel, Y = _y.Row(t) + channel, B = _b.Row(t) + bc, C = _c.Row(t) + bc,
                XStride = _x.RowBytes, YStride = _y.RowBytes, BStride = _b.RowBytes, CStride = _c.RowBytes,
                InScales = schedule.InScales, SkipScales = schedule.SkipScales, OutScales = schedule.OutScales, Factors = schedule.Factors, Counts = schedule.Counts,
                Between = (float*)scratch, H = h, LastFactor = schedule.LastFactor,
                FirstMask = Mask.OfLanes(count), SecondMask = Mask.OfLanes(count - SsdScanCode.Lanes),
            };
            RunPasses(&arguments, segments, Cover(count, SsdScanCode.Lanes), t + tokens < end);
        }
    }

    /// <summary>All states over the tokens of a schedule.</summary>
    /// <param name="arguments">Of the first states.</param>
    /// <param name="segments">Segments of the schedule.</param>
    /// <param name="groups">Groups of rows.</param>
    /// <param name="more">Whether more tokens of the sequence follow.</param>
    private void RunPasses(SsdScanArguments* arguments, int segments, int groups, bool more)
    {
        for (int pass = 0; pass < _passes.Length / SsdScanCode.GroupsTogether; pass++)
        {
            arguments->Segments = segments;
            AskAhead(arguments, pass - 1, more);
            ((delegate* unmanaged<void*, void>)_passes[pass * SsdScanCode.GroupsTogether + groups - 1])(arguments);
            arguments->H += SsdScanCode.StatesTogether * SsdScanCode.Lanes;
            arguments->B += SsdScanCode.StatesTogether;
            arguments->C += SsdScanCode.StatesTogether;
        }
    }

    /// <summary>
    /// Lets a pass ask for one cache line a token: of y, which the last pass writes, then of the x of the tokens that follow. Each pass has time for one.
    /// </summary>
    private static void AskAhead(SsdScanArguments* arguments, int line, bool more)
    {
        bool y = line is 0 or 1, x = line is 2 or 3 && more;
        arguments->Ahead = y ? arguments->Y + line * SsdScanCode.Lanes : x ? arguments->X + (line - 2) * SsdScanCode.Lanes : arguments->Between;
        if (x) arguments->Ahead = (float*)((byte*)arguments->Ahead + SsdSchedule.Tokens * arguments->XStride);
        arguments->AheadStride = y ? arguments->YStride : x ? arguments->XStride : 0;
    }

    private void RunPlain(int head, int first, int count, int member)
    {
        int n = _op.DState;
        int group = head / (_op.NHeads / _op.NGroups), channel = head * _op.HeadDim + first;
        float* delta = (float*)_steps.Address + 2L * _capacity * member, decay = delta + _capacity;
        foreach (SequenceSpan span in _rows.Spans)
        {
            for (int i = 0; i < span.Count; i++)
            {
                delta[i] = VectorMath.Softplus(_dt.Row(span.Start + i)[head] + _dtBias[head]);
                decay[i] = MathF.Exp(delta[i] * _a[head]);
            }
            float* h = _model.State(span.Slot, _op.State) + (long)channel * n;
            for (int i = 0; i < span.Count; i++)
            {
                int t = span.Start + i;
                float* x = _x.Row(t) + channel, y = _y.Row(t) + channel, b = _b.Row(t) + group * n, c = _c.Row(t) + group * n;
                int p = 0;
                for (; p + 4 <= count; p += 4) Advance4(h + (long)p * n, n, decay[i], delta[i], x + p, b, c, _d[head], y + p);
                for (; p < count; p++) y[p] = Advance(h + (long)p * n, n, decay[i], delta[i] * x[p], b, c) + _d[head] * x[p];
            }
        }
    }

    /// <summary>Four rows of h at once, so that B and C are loaded once for them.</summary>
    private static void Advance4(float* h, int n, float decay, float delta, float* x, float* b, float* c, float skip, float* y)
    {
        float* h1 = h + n, h2 = h1 + n, h3 = h2 + n;
        Vector256<float> a = Vector256.Create(decay);
        Vector256<float> in0 = Vector256.Create(delta * x[0]), in1 = Vector256.Create(delta * x[1]), in2 = Vector256.Create(delta * x[2]), in3 = Vector256.Create(delta * x[3]);
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i + 8 <= n; i += 8)
        {
            Vector256<float> bi = Vector256.Load(b + i), ci = Vector256.Load(c + i);
            Vector256<float> v0 = Vector256.FusedMultiplyAdd(Vector256.Load(h + i), a, in0 * bi), v1 = Vector256.FusedMultiplyAdd(Vector256.Load(h1 + i), a, in1 * bi);
            Vector256<float> v2 = Vector256.FusedMultiplyAdd(Vector256.Load(h2 + i), a, in2 * bi), v3 = Vector256.FusedMultiplyAdd(Vector256.Load(h3 + i), a, in3 * bi);
            v0.Store(h + i);
            v1.Store(h1 + i);
            v2.Store(h2 + i);
            v3.Store(h3 + i);
            s0 = Vector256.FusedMultiplyAdd(v0, ci, s0);
            s1 = Vector256.FusedMultiplyAdd(v1, ci, s1);
            s2 = Vector256.FusedMultiplyAdd(v2, ci, s2);
            s3 = Vector256.FusedMultiplyAdd(v3, ci, s3);
        }
        y[0] = Vector256.Sum(s0) + Tail(h, i, n, decay, delta * x[0], b, c) + skip * x[0];
        y[1] = Vector256.Sum(s1) + Tail(h1, i, n, decay, delta * x[1], b, c) + skip * x[1];
        y[2] = Vector256.Sum(s2) + Tail(h2, i, n, decay, delta * x[2], b, c) + skip * x[2];
        y[3] = Vector256.Sum(s3) + Tail(h3, i, n, decay, delta * x[3], b, c) + skip * x[3];
    }

    private static float Advance(float* h, int n, float decay, float input, float* b, float* c)
    {
        Vector256<float> a = Vector256.Create(decay), x = Vector256.Create(input), sum = default;
        int i = 0;
        for (; i + 8 <= n; i += 8)
        {
            Vector256<float> v = Vector256.FusedMultiplyAdd(Vector256.Load(h + i), a, x * Vector256.Load(b + i));
            v.Store(h + i);
            sum = Vector256.FusedMultiplyAdd(v, Vector256.Load(c + i), sum);
        }
        return Vector256.Sum(sum) + Tail(h, i, n, decay, input, b, c);
    }

    /// <summary>The scalar twin: states <paramref name="from"/> to <paramref name="n"/> of one row; returns Σ h·C.</summary>
    private static float Tail(float* h, int from, int n, float decay, float input, float* b, float* c)
    {
        float sum = 0;
        for (int i = from; i < n; i++)
        {
            h[i] = h[i] * decay + input * b[i];
            sum += h[i] * c[i];
        }
        return sum;
    }
}
