using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// <see cref="SelectiveScanOp"/>. Lanes are channels (8, or 16 with emitted code), so there are no sums across lanes; A and h lie as
/// [channels / lanes, dState, lanes] and the state of a group stays in the first-level cache over a pass.
/// </summary>
/// <remarks>
/// Three passes over up to 64 rows: Δ = softplus(dt + bias), the recurrence, and the gate. Softplus and gate are long chains of dependent instructions
/// that would take the registers and the latency slots of the recurrence if they stood inside its loop.
/// </remarks>
internal sealed unsafe class SelectiveScanStep : ColumnStep, IDisposable
{
    /// <summary>Channels of a group in the plain form.</summary>
    public const int Lanes = 8;

    /// <summary>Two cache lines of channels; also the 32 columns that share an activation scale.</summary>
    private const int ChannelsTogether = 32;

    private readonly CpuModel _model;
    private readonly SelectiveScanOp _op;
    private readonly Matrix _u, _dt, _b, _c, _z;
    private readonly float* _a, _d, _dtBias;
    private readonly NativeBuffer _deltas;
    private readonly bool _decays;
    private readonly delegate* unmanaged<void*, void> _code, _codeForMore;

    public SelectiveScanStep(CpuModel model, BatchRows rows, SelectiveScanOp op, Matrix u, Matrix dt, Matrix B, Matrix C, Matrix z, Matrix y)
        : base(rows, y, ChannelsTogether, model.Team.Size)
    {
        (_model, _op, _u, _dt, _b, _c, _z) = (model, op, u, dt, B, C, z);
        _a = model.Decoded(op.A);
        _d = model.Decoded(op.D);
        _dtBias = model.Decoded(op.DtBias);
        if (model.ScanLanes(op.DState) == SelectiveScanCode.Lanes)   // those lanes come with the code
        {
            _code = model.Code!.Get(new SelectiveScanShape(op.DState, RowsTogether: 1), SelectiveScanCode.Emit);
            _codeForMore = model.Code.Get(new SelectiveScanShape(op.DState, SelectiveScanCode.MostRowsTogether), SelectiveScanCode.Emit);
        }
        else _decays = !new ReadOnlySpan<float>(_a, (model.Plan.Weights[op.A.Index].Rows + Lanes - 1) / Lanes * Lanes * op.DState).ContainsAnyExceptInRange(float.NegativeInfinity, 0);
        _deltas = new NativeBuffer((long)RowsPerPass * ChannelsTogether * sizeof(float) * model.Team.Size, model.HostMemory);
    }

    /// <summary>Bytes of scratch: Δ of a pass, per member.</summary>
    public long ScratchBytes => _deltas.Bytes;

    protected override void RunColumns(in SequenceSpan pass, int begin, int end, int member)
    {
        float* h = _model.State(pass.Slot, _op.State);
        float* deltas = (float*)_deltas.Address + (long)member * RowsPerPass * ChannelsTogether;
        if (_code == null)
        {
            RunPlain(h, pass.Start, pass.Count, begin, end, deltas);
            return;
        }
        int more = pass.Count - pass.Count % SelectiveScanCode.MostRowsTogether;
        for (int c = begin; c < end; c += SelectiveScanCode.Lanes)
        {
            if (more > 0) RunEmitted(_codeForMore, h, pass.Start, more, c, end - c, deltas);
            if (more < pass.Count) RunEmitted(_code, h, pass.Start + more, pass.Count - more, c, end - c, deltas);
        }
    }

    public void Dispose() => _deltas.Dispose();

    private void RunEmitted(delegate* unmanaged<void*, void> code, float* h, int first, int count, int c, int channels, float* deltas)
    {
        var arguments = new SelectiveScanArguments
        {
            U = _u.Row(first) + c, Dt = _dt.Row(first) + c, Z = _z.Row(first) + c, Y = Y.Row(first) + c, B = _b.Row(first), C = _c.Row(first),
            UStride = _u.RowBytes, DtStride = _dt.RowBytes, ZStride = _z.RowBytes, YStride = Y.RowBytes, BStride = _b.RowBytes, CStride = _c.RowBytes,
            H = h + (long)c * _op.DState, A = _a + (long)c * _op.DState, D = _d + c, DtBias = _dtBias + c, Rows = count, LaneMask = Mask.OfLanes(channels),
            Scratch = deltas,
        };
        code(&arguments);
    }

    private void RunPlain(float* h, int first, int count, int begin, int end, float* deltas)
    {
        for (int t = 0; t < count; t++) FillDeltas(first + t, begin, end, deltas + t * ChannelsTogether);
        for (int c = begin; c < end; c += 8)
        {
            float* own = h + (long)c * _op.DState, a = _a + (long)c * _op.DState;
            if (end - c >= 8 && _decays) ScanGroup(own, a, first, count, c, deltas + c - begin);
            else ScanTail(own, a, first, count, c, Math.Min(end - c, Lanes), deltas + c - begin);
        }
        for (int t = first; t < first + count; t++) RowMath.Gate(Y.Row(t) + begin, _z.Row(t) + begin, Y.Row(t) + begin, end - begin);
    }

    /// <summary>Δ of one row of the unit's channels.</summary>
    private void FillDeltas(int t, int begin, int end, float* deltas)
    {
        float* dt = _dt.Row(t);
        int c = begin;
        for (; c + 8 <= end; c += 8) VectorMath.Softplus(Vector256.Load(dt + c) + Vector256.Load(_dtBias + c)).Store(deltas + c - begin);
        for (; c < end; c++) deltas[c - begin] = VectorMath.Softplus(dt[c] + _dtBias[c]);
    }

    /// <summary>h = h·2^(Δ·A) + (Δ·u)·B and y = Σ h·C + D·u for eight channels; A carries the factor log2 e.</summary>
    private void ScanGroup(float* h, float* a, int first, int count, int c, float* deltas)
    {
        int n = 8 * _op.DState;
        float* u = _u.Row(first) + c, b = _b.Row(first), k = _c.Row(first), y = Y.Row(first) + c;
        Vector256<float> skip = Vector256.Load(_d + c);
        for (int t = 0; t < count; t++)
        {
            Vector256<float> delta = Vector256.Load(deltas), x = Vector256.Load(u), input = delta * x, sum = skip * x;
            float* bt = b, ct = k;
            for (int i = 0; i < n; i += 8)
            {
                Vector256<float> decay = VectorMath.Decay2(delta * Vector256.Load(a + i));
                Vector256<float> state = Vector256.FusedMultiplyAdd(Vector256.Load(h + i), decay, input * Vector256.Create(*bt++));
                state.Store(h + i);
                sum = Vector256.FusedMultiplyAdd(state, Vector256.Create(*ct++), sum);
            }
            sum.Store(y);
            deltas += ChannelsTogether;
            u += _u.Stride;
            b += _b.Stride;
            k += _c.Stride;
            y += Y.Stride;
        }
    }

    /// <summary>
    /// The scalar twin, for the last channels of a width that is not a multiple of eight, and for a file whose A is above zero somewhere: no trained one is, so
    /// the vectors need not pay for what grows, but it must grow beyond all numbers and be refused.
    /// </summary>
    private void ScanTail(float* h, float* a, int first, int count, int c, int channels, float* deltas)
    {
        for (int t = 0; t < count; t++)
            for (int lane = 0; lane < channels; lane++)
            {
                float delta = deltas[t * ChannelsTogether + lane], x = _u.Row(first + t)[c + lane], sum = _d[c + lane] * x;
                for (int i = 0; i < _op.DState; i++)
                {
                    ref float state = ref h[8 * i + lane];
                    state = state * MathF.Pow(2, delta * a[8 * i + lane]) + delta * x * _b.Row(first + t)[i];
                    sum += state * _c.Row(first + t)[i];
                }
                Y.Row(first + t)[c + lane] = sum;
            }
    }
}
