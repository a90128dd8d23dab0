using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MambaRT.Runtime;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// <see cref="SelectiveScanOp"/>: a unit is a block of channels over all sequences. Lanes are eight channels, so there are no sums across lanes;
/// A and h lie as [channels / 8, dState, 8] and the state of a group stays in the first-level cache over all rows.
/// </summary>
internal sealed unsafe class SelectiveScanStep(
    CpuModel model, BatchRows rows, SelectiveScanOp op, Matrix u, Matrix dt, Matrix B, Matrix C, Matrix z, Matrix y) : Step, IQuantizingStep
{
    /// <summary>Two cache lines of channels; also the 32 columns that share an activation scale.</summary>
    private const int ChannelsPerUnit = 32;

    private readonly float* _a = model.Decoded(op.A);
    private readonly float* _d = model.Decoded(op.D);
    private readonly float* _dtBias = model.Decoded(op.DtBias);

    public QuantizedRows? Quantized { get; set; }

    public override int Units => Cover(u.Width, ChannelsPerUnit);

    public override void Run(int unit, int member)
    {
        int begin = unit * ChannelsPerUnit, end = Math.Min(begin + ChannelsPerUnit, u.Width);
        foreach (SequenceSpan span in rows.Spans)
        {
            float* h = model.State(span.Slot, op.State);
            int c = begin;
            for (; c + 16 <= end; c += 16) ScanPair(h, span, c);
            for (; c < end; c += 8) ScanTail(h, span, c, Math.Min(8, end - c));
            if (Quantized is not { } quantized) continue;
            for (int t = span.Start; t < span.Start + span.Count; t++) quantized.Fill(t, y.Row(t), begin, end - begin);
        }
    }

    /// <summary>Sixteen channels: two independent chains hide the latency of the exponential.</summary>
    private void ScanPair(float* h, in SequenceSpan span, int c)
    {
        int n = op.DState;
        float* h0 = h + (long)c * n, h1 = h0 + 8 * n, a0 = _a + (long)c * n, a1 = a0 + 8 * n;
        Vector256<float> bias0 = Vector256.Load(_dtBias + c), bias1 = Vector256.Load(_dtBias + c + 8);
        Vector256<float> skip0 = Vector256.Load(_d + c), skip1 = Vector256.Load(_d + c + 8);
        for (int t = span.Start; t < span.Start + span.Count; t++)
        {
            float* b = B.Row(t), k = C.Row(t);
            Vector256<float> u0 = Vector256.Load(u.Row(t) + c), u1 = Vector256.Load(u.Row(t) + c + 8);
            Vector256<float> delta0 = VectorMath.Softplus(Vector256.Load(dt.Row(t) + c) + bias0);
            Vector256<float> delta1 = VectorMath.Softplus(Vector256.Load(dt.Row(t) + c + 8) + bias1);
            Vector256<float> in0 = delta0 * u0, in1 = delta1 * u1, sum0 = skip0 * u0, sum1 = skip1 * u1;
            for (int i = 0; i < n; i++)
            {
                Vector256<float> bi = Vector256.Create(b[i]), ci = Vector256.Create(k[i]);
                sum0 = Advance(h0 + i * 8, a0 + i * 8, delta0, in0, bi, ci, sum0);
                sum1 = Advance(h1 + i * 8, a1 + i * 8, delta1, in1, bi, ci, sum1);
            }
            (sum0 * VectorMath.Silu(Vector256.Load(z.Row(t) + c))).Store(y.Row(t) + c);
            (sum1 * VectorMath.Silu(Vector256.Load(z.Row(t) + c + 8))).Store(y.Row(t) + c + 8);
        }
    }

    /// <summary>h = h·2^(Δ·A) + (Δ·u)·B for eight channels of one state; returns sum + h·C. A carries the factor log2 e.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Advance(float* h, float* a, Vector256<float> delta, Vector256<float> input, Vector256<float> b, Vector256<float> c, Vector256<float> sum)
    {
        Vector256<float> state = Vector256.FusedMultiplyAdd(Vector256.Load(h), VectorMath.Exp2(delta * Vector256.Load(a)), input * b);
        state.Store(h);
        return Vector256.FusedMultiplyAdd(state, c, sum);
    }

    /// <summary>The scalar twin: the last channels of an odd width, or any machine's check of the vectors.</summary>
    private void ScanTail(float* h, in SequenceSpan span, int c, int count)
    {
        int n = op.DState;
        for (int t = span.Start; t < span.Start + span.Count; t++)
            for (int lane = 0; lane < count; lane++)
            {
                float input = u.Row(t)[c + lane], delta = VectorMath.Softplus(dt.Row(t)[c + lane] + _dtBias[c + lane]), sum = _d[c + lane] * input;
                for (int i = 0; i < n; i++)
                {
                    // A group of eight channels holds dState rows of eight; this group may begin inside one.
                    long at = ((long)((c + lane) / 8) * n + i) * 8 + (c + lane) % 8;
                    h[at] = h[at] * MathF.Exp(delta * _a[at] * 0.693147180559945f) + delta * input * B.Row(t)[i];
                    sum += h[at] * C.Row(t)[i];
                }
                y.Row(t)[c + lane] = sum * VectorMath.Silu(z.Row(t)[c + lane]);
            }
    }
}
