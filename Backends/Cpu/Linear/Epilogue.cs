using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>What a projection does with its sums: <c>y = sum (+ bias) (+ addTo)</c>.</summary>
internal readonly unsafe struct Epilogue(Matrix y, float* bias, Matrix addTo)
{
    public readonly Matrix Y = y, AddTo = addTo;
    public readonly float* Bias = bias;

    /// <summary>Stores <paramref name="count"/> sums of row <paramref name="row"/> from column <paramref name="begin"/> on.</summary>
    public void Row(int row, int begin, int count, float* sums)
    {
        float* to = Y.Row(row) + begin;
        float* residual = AddTo.Data == null ? null : AddTo.Row(row) + begin;
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> v = Vector256.Load(sums + i);
            if (Bias != null) v += Vector256.Load(Bias + begin + i);
            if (residual != null) v += Vector256.Load(residual + i);
            v.Store(to + i);
        }
        for (; i < count; i++) to[i] = sums[i] + (Bias != null ? Bias[begin + i] : 0) + (residual != null ? residual[i] : 0);
    }
}
