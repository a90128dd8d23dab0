namespace MambaRT.Backends.Cpu;

/// <summary><see cref="SelectOutputsOp"/>: one unit, which copies the wanted rows.</summary>
internal sealed class SelectStep(BatchRows rows, Matrix x, Matrix y) : Step
{
    public override int Units => rows.Outputs == 0 ? 0 : 1;

    public override unsafe void Run(int unit, int member)
    {
        int next = 0;
        foreach (SequenceSpan span in rows.Spans)
            for (int i = span.Count - span.OutputCount; i < span.Count; i++)
                new ReadOnlySpan<float>(x.Row(span.Start + i), x.Width).CopyTo(new Span<float>(y.Row(next++), y.Width));
    }
}
