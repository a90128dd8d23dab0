using System.Diagnostics;

namespace MambaRT.Backends.Cpu;

/// <summary>A fixed team that runs a list of steps together. The caller is one of its members.</summary>
/// <remarks>
/// A step is over when its units are done, not when the members have met: <see cref="StepClaims"/> are made one by one, a member that lost its core to
/// another process is not waited for unless it holds a unit, and when it comes back it skips to the step the others are at. Waiting spins briefly, then
/// gives its turn away, then sleeps: nobody is busy while no call is running. Where calls follow one another within half a millisecond, as when another
/// device has its part of each token, turns are given away for twice the last pause before, a millisecond at most: to wake members takes a good part
/// of a run. Results do not depend on who takes which unit.
/// </remarks>
internal sealed class ThreadTeam : ITeam
{
    /// <summary>About 0.1 ms: longer than the pause between two tokens of a small model, short against a scheduler's time slice.</summary>
    private const int Spins = 2000;

    /// <summary>Turns of waiting for others' units after which it is looked whether they are run at all: about 20 µs.</summary>
    private const int SpinsPerLook = 400;

    /// <summary>Turns given away before going to sleep.</summary>
    private const int Yields = 20;

    private readonly Thread[] _helpers;
    private readonly int[]? _cores;
    private readonly Stragglers? _stragglers;
    private readonly Lock _entry = new();
    private readonly object _gate = new();
    private readonly TimeProvider _time;
    private readonly long _mostPause;
    private Step[] _steps = [];
    private StepClaims _claims;
    private long _epoch;
    private long _ended, _patience;
    private int _sleepers;
    private volatile bool _stopping;
    private volatile Exception? _failure;

    /// <summary>Starts the helpers.</summary>
    /// <param name="size">Members, the caller included.</param>
    /// <param name="cores">The core of each member, checked by <see cref="CoreAffinity.Check"/>; null leaves it to the system.</param>
    /// <param name="movesThreads">Whether members that the system places may change cores: <see cref="Stragglers"/>.</param>
    /// <param name="time">By whose timestamps pauses between runs are told; null for the system's.</param>
    public ThreadTeam(int size, int[]? cores = null, bool movesThreads = false, TimeProvider? time = null)
    {
        Size = size;
        _time = time ?? TimeProvider.System;
        _mostPause = _time.TimestampFrequency / 2000;   // half a millisecond
        _cores = cores;
        _stragglers = movesThreads && cores is null ? Stragglers.For(size) : null;
        _claims = new StepClaims(0, size);
        _helpers = new Thread[size - 1];
        for (int i = 0; i < _helpers.Length; i++)
        {
            int member = i + 1;
            _helpers[i] = new Thread(() => Serve(member)) { IsBackground = true, Name = $"mambart-cpu-{member}" };
            _helpers[i].Start();
        }
    }

    /// <inheritdoc/>
    public int Size { get; }

    /// <inheritdoc/>
    public CpuProfile? Profile { get; set; }

    /// <summary>How many times members have gone to sleep between two runs.</summary>
    public int Sleeps { get; private set; }

    /// <summary>Whether a step of the run under way has thrown.</summary>
    public bool HasFailed => _failure is not null;

    /// <inheritdoc/>
    /// <remarks>A caller that is given a core has it for this call only: its thread is not the team's.</remarks>
    public void Run(Step[] steps, CancellationToken cancel)
    {
        lock (_entry)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (_cores is null)
            {
                RunPlaced(steps, cancel);
                return;
            }
            CoreAffinity.CoreSet before = CoreAffinity.Current;
            CoreAffinity.Pin(_cores[0]);
            try
            {
                RunSteps(steps, cancel);
            }
            finally
            {
                CoreAffinity.Set(before);
            }
        }
    }

    public void Dispose()
    {
        lock (_entry)
        {
            if (_stopping) return;
            _stopping = true;
            Wake();
        }
        foreach (Thread helper in _helpers) helper.Join();
    }

    /// <summary>Runs the steps where the system puts the threads.</summary>
    private void RunPlaced(Step[] steps, CancellationToken cancel)
    {
        _stragglers?.Enter(0);
        try
        {
            RunSteps(steps, cancel);
        }
        finally
        {
            _stragglers?.Restore(0);
        }
    }

    private void RunSteps(Step[] steps, CancellationToken cancel)
    {
        long pause = _time.GetTimestamp() - _ended;
        Volatile.Write(ref _patience, pause <= _mostPause ? 2 * pause : 0);
        try
        {
            RunPublished(steps, Publish(steps), cancel);
        }
        finally
        {
            _ended = _time.GetTimestamp();
        }
    }

    private void RunPublished(Step[] steps, int epoch, CancellationToken cancel)
    {
        CpuProfile? profile = Profile;
        long began = profile is null ? 0 : Stopwatch.GetTimestamp();
        for (int i = 0; i < steps.Length; i++)
        {
            Advance(steps[i], _claims, i, epoch, 0);
            if (profile is not null) began = profile.Add(steps[i], began);
            if (_failure is null && !cancel.IsCancellationRequested) continue;
            Abandon(i + 1, steps.Length, epoch);
            if (_failure is { } failure) StepFailure.Throw(failure);
            cancel.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Opens a run: counters first, then the epoch that lets helpers in.</summary>
    private int Publish(Step[] steps)
    {
        int epoch = _epoch == -1 ? 1 : (int)_epoch + 1;   // 0 is no run's
        // A latecomer may still look at the old claims: it finds all of them taken.
        if (_claims.Steps < steps.Length) _claims = new StepClaims(steps.Length, Size);
        for (int i = 0; i < steps.Length; i++) _claims.Open(i, epoch, steps[i].Units);
        _steps = steps;
        _failure = null;
        Interlocked.Exchange(ref _epoch, epoch);
        if (Size > 1) Wake();
        return epoch;
    }

    private void Serve(int member)
    {
        if (_cores is not null) CoreAffinity.Pin(_cores[member]);
        _stragglers?.Enter(member);
        for (long last = 0; ;)
        {
            Await(ref _epoch, last, whileEqual: true, epoch: 0, member);
            if (_stopping) return;
            int epoch = (int)Volatile.Read(ref _epoch);
            Step[] steps = _steps;
            StepClaims claims = _claims;
            if (Volatile.Read(ref _epoch) != epoch) continue;   // a newer run was opened while we read
            for (int i = 0; i < steps.Length; i++)
                if (!Advance(steps[i], claims, i, epoch, member)) break;
            _stragglers?.Restore(member);
            last = epoch;
        }
    }

    /// <summary>Takes units until there are none, then waits for those that others took.</summary>
    /// <returns>False when the run is over.</returns>
    private bool Advance(Step step, StepClaims claims, int index, int epoch, int member)
    {
        // The run's own count, not the step's: the step may already look at the next batch when a latecomer comes by.
        if (!claims.TryUnits(index, epoch, out int units)) return false;
        while (claims.TryTake(index, epoch, units, member, out int unit))
        {
            _stragglers?.Begin(member);
            try
            {
                step.Run(unit, member);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                Interlocked.CompareExchange(ref _failure, e, null);   // the caller throws the first on; until it looks, others go on with what that one left
            }
            _stragglers?.End(member);
            if (claims.Finish(index) == units && Volatile.Read(ref _sleepers) > 0) Wake();
        }
        if (Size > 1) Await(ref claims.Done(index), units, whileEqual: false, epoch, member);
        return true;
    }

    /// <summary>Closes the steps of a run that ends early and waits for the units in flight.</summary>
    private void Abandon(int from, int to, int epoch)
    {
        for (int i = from; i < to; i++)
        {
            int claimed = _claims.Close(i, epoch);
            while (Volatile.Read(ref _claims.Done(i)) < claimed) Thread.Yield();
        }
    }

    /// <summary>Waits until <paramref name="place"/> differs from the value (or equals it); a wait of another epoch ends at once.</summary>
    private void Await(ref long place, long value, bool whileEqual, int epoch, int member)
    {
        bool forUnits = epoch != 0 && _stragglers != null;
        for (int turn = 0; turn < Spins + Yields; turn++)
        {
            if (Ready(ref place, value, whileEqual, epoch)) return;
            if (forUnits && turn % SpinsPerLook == SpinsPerLook - 1 && _stragglers!.Lend(member)) break;
            if (turn < Spins) Thread.SpinWait(1);
            else Thread.Yield();
        }
        if (epoch == 0)   // for the next run
            for (long until = _time.GetTimestamp() + Volatile.Read(ref _patience); _time.GetTimestamp() < until; Thread.Yield())
                if (Ready(ref place, value, whileEqual, epoch)) return;
        lock (_gate)
        {
            Interlocked.Increment(ref _sleepers);
            for (; !Ready(ref place, value, whileEqual, epoch); Monitor.Wait(_gate))
                if (epoch == 0) Sleeps++;
            Interlocked.Decrement(ref _sleepers);
        }
    }

    private bool Ready(ref long place, long value, bool whileEqual, int epoch) =>
        Volatile.Read(ref place) == value != whileEqual || _stopping || (epoch != 0 && Volatile.Read(ref _epoch) != epoch);

    private void Wake()
    {
        if (Volatile.Read(ref _sleepers) == 0) return;
        lock (_gate) Monitor.PulseAll(_gate);
    }
}
