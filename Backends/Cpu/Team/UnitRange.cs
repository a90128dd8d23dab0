namespace MambaRT.Backends.Cpu;

/// <summary>Some slices of a step, as a step of their own.</summary>
internal sealed class UnitRange : Step
{
    private Step? _step;
    private int _first, _count;

    /// <summary>The step that they are of.</summary>
    public Step? Whole => _step;

    public override int Units => _count;

    public void Set(Step step, int first, int count) => (_step, _first, _count) = (step, first, count);

    public override void Run(int unit, int member) => _step!.RunSlice(_first + unit, member);   // set before each run
}
