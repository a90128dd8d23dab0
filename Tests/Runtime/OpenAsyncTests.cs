using MambaRT.Backends.Reference;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Opening a model on a thread of the pool: told, cancelled, refused.</summary>
public sealed class OpenAsyncTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ReferenceBackend _backend = new();

    public OpenAsyncTests()
    {
        using var tiny = new TinyModel();
        tiny.Write(_folder["tiny.gguf"]);
    }

    public void Dispose()
    {
        _backend.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task OpenAsync_Model_TellsTheEndAndRuns()
    {
        var told = new Told();
        using Model model = await Model.OpenAsync(_folder["tiny.gguf"], _backend, progress: told);
        long bytes = new FileInfo(_folder["tiny.gguf"]).Length;
        Assert.Equal(new LoadProgress("ready", bytes, bytes), told.Last);
        using Session session = model.StartSession();
        session.Feed([1]);
    }

    [Fact]
    public async Task OpenAsync_CancelledOrMissing_SaysSoToWhoAwaits()
    {
        using var cancel = new CancellationTokenSource();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Model.OpenAsync(_folder["tiny.gguf"], _backend, cancel: cancel.Token));
        await Assert.ThrowsAnyAsync<IOException>(() => Model.OpenAsync(_folder["none.gguf"], _backend));
        await Assert.ThrowsAsync<ArgumentNullException>(() => Model.OpenAsync(null!, _backend));
    }

    private sealed class Told : IProgress<LoadProgress>
    {
        public LoadProgress Last { get; private set; }

        public void Report(LoadProgress value) => Last = value;
    }
}
