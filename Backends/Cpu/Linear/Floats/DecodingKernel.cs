using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Weights of any other type, decoded a row at a time: what makes a new type run before it has a kernel of its own.</summary>
internal sealed unsafe class DecodingKernel(TensorView weights) : FloatPanelKernel(weights)
{
    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch)
    {
        for (int i = 0; i < count; i++)
        {
            float* w = Row(begin + i, (float*)scratch);
            for (int t = 0; t < rows; t++)
            {
                float* values = x.Values.Row(t);
                Vector256<float> lanes = default;
                int k = 0;
                for (; k + 8 <= Columns; k += 8) lanes = Vector256.FusedMultiplyAdd(Vector256.Load(w + k), Vector256.Load(values + k), lanes);
                float sum = Vector256.Sum(lanes);
                for (; k < Columns; k++) sum += w[k] * values[k];
                y[t * count + i] = sum;
            }
        }
    }

    protected override float* Row(int row, float* scratch)
    {
        Weights.DecodeRow(row, new Span<float>(scratch, Columns));
        return scratch;
    }
}
