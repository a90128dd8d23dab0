using System.Runtime.InteropServices;

namespace MambaRT.Cli;

/// <summary>Ctrl-C as a cancellation: the first one stops the work at hand, a second one before it has stopped ends the program.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly PosixSignalRegistration _registration;
    private CancellationTokenSource _source = new();

    public Interrupt() => _registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);

    /// <summary>Fires at Ctrl-C.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Makes ready for the next piece of work; the token before stays as it is.</summary>
    public CancellationToken Renew()
    {
        if (_source.IsCancellationRequested) _source = new CancellationTokenSource();
        return _source.Token;
    }

    public void Dispose() => _registration.Dispose();

    private void OnSignal(PosixSignalContext context)
    {
        CancellationTokenSource source = _source;
        context.Cancel = !source.IsCancellationRequested;
        if (context.Cancel) source.Cancel();
        else Environment.Exit(1);
    }
}
