using System.Text;

namespace MambaRT.CApi;

/// <summary>Tells a function of the caller's how far loading is, and ends loading where that wishes it.</summary>
internal sealed unsafe class LoadReport(ModelOptionsLayout options) : IProgress<LoadProgress>, IDisposable
{
    private const int Longest = 128;
    private readonly CancellationTokenSource _cancel = new();

    /// <summary>What ends loading.</summary>
    public CancellationToken Cancel => _cancel.Token;

    /// <inheritdoc/>
    public void Report(LoadProgress value)
    {
        if (options.Progress == null) return;
        byte* doing = stackalloc byte[Longest];
        Encoding.UTF8.TryGetBytes(value.Doing, new Span<byte>(doing, Longest - 1), out int bytes);
        doing[bytes] = 0;
        if (options.Progress(options.User, doing, value.Done, value.Total) != 0) _cancel.Cancel();
    }

    /// <inheritdoc/>
    public void Dispose() => _cancel.Dispose();
}
