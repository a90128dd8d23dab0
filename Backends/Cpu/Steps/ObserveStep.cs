namespace MambaRT.Backends.Cpu;

/// <summary>Shows an observer the rows that a projection will read: one unit, so that calls never overlap.</summary>
internal sealed unsafe class ObserveStep(BatchRows rows, RowDomain domain, Matrix x, WeightRef weight, IActivationObserver observer) : Step
{
    public override int Units => rows.Count(domain) == 0 ? 0 : 1;

    public override void Run(int unit, int member)
    {
        for (int t = 0; t < rows.Count(domain); t++) observer.Observe(weight, new ReadOnlySpan<float>(x.Row(t), x.Width));
    }
}
