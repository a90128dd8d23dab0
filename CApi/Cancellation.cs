namespace MambaRT.CApi;

/// <summary>A wish to end what is being done, or the next thing, from any thread; what ends by it takes it away.</summary>
internal sealed class Cancellation
{
    private volatile CancellationTokenSource _source = new();

    /// <summary>What is looked at.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Wishes it.</summary>
    public void Request() => _source.Cancel();

    /// <summary>Takes a wish away that was heeded, or came too late.</summary>
    public void Renew()
    {
        if (_source.IsCancellationRequested) _source = new CancellationTokenSource();
    }
}
