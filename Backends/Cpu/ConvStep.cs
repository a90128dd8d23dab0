using System.Runtime.Intrinsics;
using MambaRT.Runtime;

namespace MambaRT.Backends.Cpu;

/// <summary><see cref="CausalConvOp"/>: a unit is a block of channels over all sequences, so that a window has one owner.</summary>
internal sealed unsafe class ConvStep(CpuModel model, BatchRows rows, CausalConvOp op, Matrix x, Matrix y)
    : ColumnStep(rows, x.Width, ChannelsTogether, model.Team.Size), IQuantizingStep
{
    /// <summary>A multiple of the 32 columns that share an activation scale; 4 cache lines.</summary>
    private const int ChannelsTogether = 64;

    /// <summary>Rows after which the 8-bit copy is made: their share of y, 16 KiB, is still in the first-level cache.</summary>
    private const int RowsPerPass = 64;

    private readonly delegate* unmanaged<void*, void> _code =
        model.Code != null && op.DConv <= ConvCode.MostTaps ? model.Code.Get(new ConvShape(op.DConv, op.Bias != null), ConvCode.Emit) : null;

    private readonly BatchRows _rows = rows;
    private readonly float* _weight = model.Decoded(op.Weight);
    private readonly float* _bias = op.Bias is WeightRef b ? model.Decoded(b) : null;

    public QuantizedRows? Quantized { get; set; }

    protected override void RunColumns(int begin, int end, int member)
    {
        foreach (SequenceSpan span in _rows.Spans)
        {
            float* window = model.State(span.Slot, op.Window);
            if (_code != null) RunEmitted(window, span, begin, end);
            else RunPlain(window, span, begin, end);
        }
    }

    private void RunEmitted(float* window, in SequenceSpan span, int begin, int end)
    {
        for (int first = span.Start, last = span.Start + span.Count; first < last; first += RowsPerPass)
        {
            int count = Math.Min(RowsPerPass, last - first);
            for (int c = begin; c < end; c += ConvCode.Lanes)
            {
                var arguments = new ConvArguments
                {
                    X = x.Row(first) + c, Y = y.Row(first) + c, Taps = _weight + c, Window = window + c, Bias = _bias + c,
                    XStride = x.RowBytes, YStride = y.RowBytes, ChannelBytes = (long)x.Width * sizeof(float), Rows = count,
                    LaneMask = Mask.OfLanes(end - c),
                };
                _code(&arguments);
            }
            Quantized?.Fill(first, count, y, begin, end - begin);
        }
    }

    private void RunPlain(float* window, in SequenceSpan span, int begin, int end)
    {
        for (int i = 0; i < span.Count; i++)
        {
            Convolve(window, span, i, begin, end);
            Quantized?.Fill(span.Start + i, y.Row(span.Start + i), begin, end - begin);
        }
        Advance(window, span, begin, end);
    }

    /// <summary>One row. Lanes are channels; a tap before the sequence's first row comes from the window [dConv−1, channels].</summary>
    private void Convolve(float* window, in SequenceSpan span, int i, int begin, int end)
    {
        int taps = op.DConv, channels = x.Width;
        float* to = y.Row(span.Start + i);
        float** from = stackalloc float*[taps];
        for (int k = 0; k < taps; k++) from[k] = Tap(window, span, i - (taps - 1) + k);
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

    /// <summary>The input at row <paramref name="i"/> of the sequence; negative rows lie in the window.</summary>
    private float* Tap(float* window, in SequenceSpan span, int i) =>
        i >= 0 ? x.Row(span.Start + i) : window + (long)(op.DConv - 1 + i) * x.Width;

    /// <summary>Moves the window on by the rows fed, oldest first, so that no row is overwritten before it is read.</summary>
    private void Advance(float* window, in SequenceSpan span, int begin, int end)
    {
        int past = op.DConv - 1;
        for (int k = 0; k < past; k++)
            new ReadOnlySpan<float>(Tap(window, span, span.Count - past + k) + begin, end - begin)
                .CopyTo(new Span<float>(window + (long)k * x.Width + begin, end - begin));
    }
}
