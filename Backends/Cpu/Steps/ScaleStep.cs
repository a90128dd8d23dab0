using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>The end of a <see cref="LinearOp"/> with a scale: y = scale · (y + bias) + addTo. A unit is some columns of a row.</summary>
internal sealed unsafe class ScaleStep(BatchRows rows, RowDomain domain, float scale, float* bias, Matrix addTo, Matrix y) : Step
{
    private const int Columns = 4096;

    private readonly int _parts = Cover(y.Width, Columns);

    public override int Units => rows.Count(domain) * _parts;

    public override void Run(int unit, int member)
    {
        int row = unit / _parts, begin = unit % _parts * Columns, count = Math.Min(Columns, y.Width - begin);
        float* to = y.Row(row) + begin, offset = bias == null ? null : bias + begin, residual = addTo.Data == null ? null : addTo.Row(row) + begin;
        Vector256<float> factor = Vector256.Create(scale);
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> v = Vector256.Load(to + i);
            if (offset != null) v += Vector256.Load(offset + i);
            v *= factor;
            if (residual != null) v += Vector256.Load(residual + i);
            v.Store(to + i);
        }
        for (; i < count; i++) to[i] = (to[i] + (offset != null ? offset[i] : 0)) * scale + (residual != null ? residual[i] : 0);
    }
}
