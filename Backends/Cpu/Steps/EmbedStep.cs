using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary><see cref="EmbedOp"/>: a unit is a row.</summary>
internal sealed class EmbedStep(BatchRows rows, TensorView table, float scale, Matrix y) : Step
{
    public override int Units => rows.Tokens;

    public override unsafe void Run(int unit, int member)
    {
        table.DecodeRow(rows.Token(unit), new Span<float>(y.Row(unit), y.Width));
        if (scale != 1) RowMath.Scale(y.Row(unit), null, scale, y.Row(unit), y.Width);
    }
}
