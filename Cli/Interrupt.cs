using System.Runtime.InteropServices;

namespace MambaRT.Cli;

/// <summary>
/// Ctrl-C as a cancellation: it stops the work at hand; a second one before that has stopped, or one while there is no work, ends the program.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly PosixSignalRegistration _registration;
    private CancellationTokenSource _source = new();
    private volatile bool _isIdle;

    public Interrupt() => _registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);

    /// <summary>Fires at Ctrl-C.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Begins another piece of work.</summary>
    public CancellationToken Renew()
    {
        _isIdle = false;
        if (_source.IsCancellationRequested) _source = new CancellationTokenSource();
        return _source.Token;
    }

    /// <summary>Says that there is no work to stop: the program waits for input.</summary>
    public void Rest() => _isIdle = true;

    public void Dispose() => _registration.Dispose();

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        if (_isIdle) Environment.Exit(Program.Ok);
        else if (_source.IsCancellationRequested) Environment.Exit(Program.BadInput);
        else _source.Cancel();
    }
}
