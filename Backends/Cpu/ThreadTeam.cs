using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cpu;

/// <summary>A fixed team that runs a list of steps together, with a barrier after each. The caller is one of its members.</summary>
/// <remarks>
/// Units of a step are handed out one by one, so a member that lost its core to another process delays the team by one unit, not by its share.
/// Waiting spins briefly and then parks: no member is busy while no call is running. Results do not depend on who takes which unit.
/// </remarks>
internal sealed class ThreadTeam : IDisposable
{
    /// <summary>About 20 µs: longer than any step of a small model takes, short against a scheduler's time slice.</summary>
    private const int SpinsBeforeParking = 1500;

    private readonly Thread[] _helpers;
    private readonly Lock _entry = new();
    private readonly object _gate = new();
    private Step[] _steps = [];
    private PaddedCounter[] _next = [];
    private int _stepCount;
    private int _arrived;
    private int _phase;
    private int _parked;
    private bool _stopping;
    private CancellationToken _cancel;
    private volatile bool _cancelled;
    private volatile Exception? _failure;

    public ThreadTeam(int size)
    {
        Size = size;
        _helpers = new Thread[size - 1];
        for (int i = 0; i < _helpers.Length; i++)
        {
            int member = i + 1;
            _helpers[i] = new Thread(() => Serve(member)) { IsBackground = true, Name = $"mambart-cpu-{member}" };
            _helpers[i].Start();
        }
    }

    /// <summary>Members, the caller included.</summary>
    public int Size { get; }

    /// <summary>Runs the steps in order; returns when all are done. Executables of several models take turns.</summary>
    /// <exception cref="OperationCanceledException">The token fired between two steps.</exception>
    public void Run(Step[] steps, CancellationToken cancel)
    {
        lock (_entry)
        {
            if (_next.Length < steps.Length) _next = new PaddedCounter[steps.Length];
            for (int i = 0; i < steps.Length; i++) _next[i].Value = 0;
            _steps = steps;
            _stepCount = steps.Length;
            _cancel = cancel;
            _cancelled = false;
            _failure = null;
            if (Size > 1) Barrier();   // wakes the helpers, which wait at it
            Work(0);
            if (_failure is { } failure) throw new InvalidOperationException($"A step of the model failed: {failure.Message}", failure);
            if (_cancelled) cancel.ThrowIfCancellationRequested();
        }
    }

    public void Dispose()
    {
        lock (_entry)
        {
            if (_stopping) return;
            _stopping = true;
            if (Size > 1) Barrier();
        }
        foreach (Thread helper in _helpers) helper.Join();
    }

    private void Serve(int member)
    {
        while (true)
        {
            Barrier();
            if (_stopping) return;
            Work(member);
        }
    }

    private void Work(int member)
    {
        for (int i = 0; i < _stepCount; i++)
        {
            Step step = _steps[i];
            ref int next = ref _next[i].Value;
            int units = step.Units;
            if (!_cancelled)
            {
                try
                {
                    for (int unit; (unit = Interlocked.Increment(ref next) - 1) < units;) step.Run(unit, member);
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    // A member must reach every barrier, or the others wait for ever; the caller throws it on.
                    _failure = e;
                    _cancelled = true;
                }
            }
            // The caller alone looks at the token, before a barrier, so that all members see the same answer after it.
            if (member == 0 && _cancel.IsCancellationRequested) _cancelled = true;
            if (Size > 1) Barrier();
        }
    }

    private void Barrier()
    {
        int phase = Volatile.Read(ref _phase);
        if (Interlocked.Increment(ref _arrived) == Size)
        {
            _arrived = 0;
            Interlocked.Exchange(ref _phase, phase + 1);
            if (Volatile.Read(ref _parked) == 0) return;
            lock (_gate) Monitor.PulseAll(_gate);
            return;
        }
        for (int spin = 0; spin < SpinsBeforeParking; spin++)
        {
            if (Volatile.Read(ref _phase) != phase) return;
            Thread.SpinWait(1);
        }
        lock (_gate)
        {
            Interlocked.Increment(ref _parked);
            while (Volatile.Read(ref _phase) == phase) Monitor.Wait(_gate);
            Interlocked.Decrement(ref _parked);
        }
    }

    /// <summary>A cache line for each counter: members of neighbouring steps do not disturb each other.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct PaddedCounter
    {
        [FieldOffset(0)] public int Value;
    }
}

/// <summary>Work between two barriers, divided into units that may run in any order on any member.</summary>
internal abstract class Step
{
    /// <summary>Dotted name of the op it came from.</summary>
    public required string Name { get; init; }

    /// <summary>Units of the present batch.</summary>
    public abstract int Units { get; }

    /// <summary>Does one unit.</summary>
    /// <param name="unit">0 to Units − 1.</param>
    /// <param name="member">Who does it: names the scratch it may use.</param>
    public abstract void Run(int unit, int member);

    /// <summary>Units of <paramref name="size"/> that cover <paramref name="total"/>.</summary>
    protected static int Cover(int total, int size)
    {
        Debug.Assert(size > 0);
        return (total + size - 1) / size;
    }
}
