using MambaRT.Backends.Cpu;

namespace MambaRT.Tests;

/// <summary>Counts how often each of its units is done, and looks whether those of the step before are.</summary>
internal sealed class CountingStep : Step
{
    private readonly int[] _done = new int[16];
    private int _units;

    public CountingStep? Before { get; set; }

    public Action? Body { get; set; }

    public override int Units => _units;

    public void Prepare(int units)
    {
        _units = units;
        Array.Clear(_done);
    }

    public override void Run(int unit, int member)
    {
        if (Before is { } before) before.Check(-1);
        Body?.Invoke();
        Interlocked.Increment(ref _done[unit]);
    }

    public void Check(int run)
    {
        for (int i = 0; i < _done.Length; i++)
            if (Volatile.Read(ref _done[i]) != (i < _units ? 1 : 0))
                throw new InvalidOperationException($"Run {run}: unit {i} of {_units} was done {_done[i]} times.");
    }
}
