using System.Runtime.InteropServices;

namespace MambaRT.Cli;

/// <summary>
/// Ctrl-C, SIGTERM and SIGHUP as a cancellation: the work at hand stops, the verb unwinds and tidies up after itself, and the program ends with
/// 128 and the signal's number. While there is no work, a signal ends the program at once.
/// </summary>
/// <remarks>The program always exits of itself: process 1 of a container cannot be ended by a signal that is left to the system.</remarks>
internal sealed class Interrupt
{
    /// <summary>Two within this time are one: 'timeout -s INT' sends it to the process and to its group.</summary>
    private const int SamePressMilliseconds = 300;

    /// <summary>How long work may take to stop after SIGTERM and SIGHUP; containers are killed after ten seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    /// <summary>More than a signal takes from the system to <see cref="Raise"/>, through two threads.</summary>
    private static readonly TimeSpan OnItsWay = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private PosixSignalRegistration[] _registrations = [];
    private CancellationTokenSource _source = new();
    private bool _isResting = true;
    private PosixSignal? _signal;
    private long _raised;

    /// <summary>What the program ends with once a signal has come; null before.</summary>
    public int? ExitCode
    {
        get
        {
            lock (_lock) return _signal is { } signal ? CodeOf(signal) : null;
        }
    }

    /// <summary>Whether there is no work to stop.</summary>
    public bool IsResting
    {
        get
        {
            lock (_lock) return _isResting;
        }
    }

    /// <summary>One that hears the signals of this process.</summary>
    public static Interrupt Listening()
    {
        var interrupt = new Interrupt();
        interrupt._registrations = [interrupt.On(PosixSignal.SIGINT), interrupt.On(PosixSignal.SIGTERM), interrupt.On(PosixSignal.SIGHUP)];
        return interrupt;
    }

    /// <summary>Begins work that looks at the token: a signal cancels it, and a later Ctrl-C ends the program without waiting.</summary>
    public CancellationToken Begin()
    {
        lock (_lock)
        {
            _isResting = false;
            return _source.Token;
        }
    }

    /// <summary>Says that there is no work to stop: the program waits for input.</summary>
    /// <exception cref="OperationCanceledException">A signal came during the work before.</exception>
    public void Rest()
    {
        CancellationToken token;
        lock (_lock)
        {
            _isResting = true;
            token = _source.Token;
        }
        token.ThrowIfCancellationRequested();
    }

    /// <summary>Lets a signal arrive that came with the end of the input: who ends a program often closes its input in the same breath.</summary>
    public void Settle()
    {
        if (_registrations.Length > 0) Thread.Sleep(OnItsWay);
    }

    /// <summary>Lets a Ctrl-C be over with the work that it stopped; SIGTERM and SIGHUP still end the program.</summary>
    public void Forgive()
    {
        lock (_lock)
        {
            if (_signal != PosixSignal.SIGINT) return;
            _signal = null;
            _source = new CancellationTokenSource();
        }
    }

    /// <summary>Takes a signal, on a thread of its own; returns when the work is asked to stop and may take its time.</summary>
    internal void Raise(PosixSignal signal)
    {
        CancellationTokenSource source;
        bool atOnce;
        lock (_lock)
        {
            atOnce = _isResting || (signal == PosixSignal.SIGINT && _signal == PosixSignal.SIGINT && Environment.TickCount64 - _raised > SamePressMilliseconds);
            if (_signal is null) _raised = Environment.TickCount64;
            if (_signal is null or PosixSignal.SIGINT) _signal = signal;
            source = _source;
        }
        if (!atOnce)
        {
            source.Cancel();
            if (signal == PosixSignal.SIGINT) return;
            Thread.Sleep(Patience);
        }
        Environment.Exit(CodeOf(signal));
    }

    private PosixSignalRegistration On(PosixSignal signal) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        Raise(signal);
    });

    private static int CodeOf(PosixSignal signal) => 128 + signal switch
    {
        PosixSignal.SIGHUP => 1,
        PosixSignal.SIGINT => 2,
        _ => 15,
    };
}
