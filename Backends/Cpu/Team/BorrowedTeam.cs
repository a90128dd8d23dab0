using System.Diagnostics;

namespace MambaRT.Backends.Cpu;

/// <summary>A team of threads that are the program's: each step is handed to its <see cref="ParallelFor"/>. Nothing runs, waits or spins outside a call.</summary>
/// <remarks>
/// A call of the body is a member for as long as it runs, and takes units one by one as members of a <see cref="ThreadTeam"/> do. So it does not matter on how many
/// threads the calls run, nor in which order. What a job system leaves undone when it returns, the caller does.
/// </remarks>
internal sealed class BorrowedTeam : ITeam
{
    private readonly ParallelFor _run;
    private readonly Action<int> _member;
    private readonly int[] _busy;
    private readonly StepClaims _claims;
    private readonly Lock _entry = new();
    private Step? _step;
    private int _epoch;
    private bool _disposed;
    private volatile Exception? _failure;

    /// <param name="size">Calls of the body that are asked for at a time.</param>
    /// <param name="run">The program's.</param>
    public BorrowedTeam(int size, ParallelFor run)
    {
        Size = size;
        _run = run;
        _member = Work;
        _busy = new int[size];
        _claims = new StepClaims(1, size);
    }

    /// <inheritdoc/>
    public int Size { get; }

    /// <inheritdoc/>
    public CpuProfile? Profile { get; set; }

    /// <inheritdoc/>
    public void Run(Step[] steps, CancellationToken cancel)
    {
        lock (_entry)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            CpuProfile? profile = Profile;
            long began = profile is null ? 0 : Stopwatch.GetTimestamp();
            foreach (Step step in steps)
            {
                Run(step);
                if (profile is not null) began = profile.Add(step, began);
                if (_failure is { } failure) StepFailure.Throw(failure);
                cancel.ThrowIfCancellationRequested();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_entry) _disposed = true;
    }

    private void Run(Step step)
    {
        int units = step.Units, epoch = _epoch == -1 ? 1 : _epoch + 1;   // 0 is no run's
        _failure = null;
        Volatile.Write(ref _step, step);
        _claims.Open(0, epoch, units);
        Volatile.Write(ref _epoch, epoch);
        try
        {
            if (Math.Min(Size, units) is > 1 and int members) _run(members, _member);
        }
        finally
        {
            while (Volatile.Read(ref _claims.Done(0)) < units)
            {
                for (int member = 0; member < Size; member++) Work(member);
                if (Volatile.Read(ref _claims.Done(0)) < units) Thread.Yield();   // the program went on before its calls were over
            }
        }
    }

    /// <summary>Runs units as a member until there are none. A call that comes late, twice or with no member's number takes none, or some of the present step's.</summary>
    private void Work(int member)
    {
        if ((uint)member >= (uint)Size || Interlocked.Exchange(ref _busy[member], 1) != 0) return;
        int epoch = Volatile.Read(ref _epoch);
        Step step = Volatile.Read(ref _step)!;   // there before anybody is called
        // Of a later step's only where that step was read: its claims are opened before its epoch is.
        if (_claims.TryUnits(0, epoch, out int units))
            while (_claims.TryTake(0, epoch, units, member, out int unit))
            {
                try
                {
                    step.Run(unit, member);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref _failure, e, null);
                }
                _claims.Finish(0);
            }
        Volatile.Write(ref _busy[member], 0);
    }
}
