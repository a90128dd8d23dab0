using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary><see cref="CausalConvOp"/>.</summary>
internal sealed unsafe class ConvStep(CpuModel model, BatchRows rows, CausalConvOp op, Matrix x, Matrix y) : ColumnStep(rows, y, ChannelsTogether, model.Team.Size)
{
    /// <summary>4 cache lines.</summary>
    private const int ChannelsTogether = 64;

    private readonly delegate* unmanaged<void*, void> _code =
        model.Code != null && op.DConv <= ConvCode.MostTaps ? model.Code.Get(new ConvShape(op.DConv, op.Bias != null), ConvCode.Emit) : null;

    private readonly float* _weight = model.Decoded(op.Weight);
    private readonly float* _bias = op.Bias is WeightRef b ? model.Decoded(b) : null;

    protected override void RunColumns(in SequenceSpan pass, int begin, int end, int member)
    {
        float* window = model.State(pass.Slot, op.Window);
        if (_code != null)
        {
            for (int c = begin; c < end; c += ConvCode.Lanes) RunEmitted(window, pass, c, end - c);
            return;
        }
        for (int i = 0; i < pass.Count; i++) Convolve(window, pass, i, begin, end);
        Advance(window, pass, begin, end);
    }

    private void RunEmitted(float* window, in SequenceSpan pass, int c, int channels)
    {
        var arguments = new ConvArguments
        {
            X = x.Row(pass.Start) + c, Y = Y.Row(pass.Start) + c, Taps = _weight + c, Window = window + c, Bias = _bias + c,
            XStride = x.RowBytes, YStride = Y.RowBytes, ChannelBytes = (long)x.Width * sizeof(float), Rows = pass.Count,
            LaneMask = Mask.OfLanes(channels),
        };
        _code(&arguments);
    }

    /// <summary>One row. Lanes are channels; a tap before the pass's first row comes from the window [dConv−1, channels].</summary>
    private void Convolve(float* window, in SequenceSpan pass, int i, int begin, int end)
    {
        int taps = op.DConv, channels = x.Width;
        float* to = Y.Row(pass.Start + i);
        float** from = stackalloc float*[taps];
        for (int k = 0; k < taps; k++) from[k] = Tap(window, pass, i - (taps - 1) + k);
        int c = begin;
        for (; c + 8 <= end; c += 8)
        {
            Vector256<float> sum = _bias != null ? Vector256.Load(_bias + c) : default;
            float* w = _weight + c;
            for (int k = 0; k < taps; k++, w += channels) sum = Vector256.FusedMultiplyAdd(Vector256.Load(w), Vector256.Load(from[k] + c), sum);
            VectorMath.Silu(sum).Store(to + c);
        }
        for (; c < end; c++)
        {
            float sum = _bias != null ? _bias[c] : 0;
            for (int k = 0; k < taps; k++) sum += _weight[(long)k * channels + c] * from[k][c];
            to[c] = VectorMath.Silu(sum);
        }
    }

    /// <summary>The input at row <paramref name="i"/> of the pass; negative rows lie in the window.</summary>
    private float* Tap(float* window, in SequenceSpan pass, int i) =>
        i >= 0 ? x.Row(pass.Start + i) : window + (long)(op.DConv - 1 + i) * x.Width;

    /// <summary>Moves the window on by the rows fed, oldest first, so that no row is overwritten before it is read.</summary>
    private void Advance(float* window, in SequenceSpan pass, int begin, int end)
    {
        int past = op.DConv - 1;
        for (int k = 0; k < past; k++)
            new ReadOnlySpan<float>(Tap(window, pass, pass.Count - past + k) + begin, end - begin)
                .CopyTo(new Span<float>(window + (long)k * x.Width + begin, end - begin));
    }
}
