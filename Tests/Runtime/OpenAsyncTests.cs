using MambaRT.Backends.Cpu;
using MambaRT.Backends.Reference;
using MambaRT.Formats;
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
    public async Task OpenAsync_Model_TellsBeginningAndEndAndRuns()
    {
        var told = new Told();
        using Model model = await Model.OpenAsync(_folder["tiny.gguf"], _backend, progress: told);
        long bytes = new FileInfo(_folder["tiny.gguf"]).Length;
        Assert.Equal([new LoadProgress("opening", 0, bytes), new LoadProgress("ready", bytes, bytes)], told.All);   // this backend has nothing to do between them
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

    [Theory]
    [InlineData("opening")]
    [InlineData("ready")]
    public async Task OpenAsync_CancelledByWhoIsTold_LeavesNothingBehind(string at)
    {
        using var cancel = new CancellationTokenSource();
        var told = new Told(value =>
        {
            if (value.Doing == at) cancel.Cancel();
        });
        var memory = new HostMemory();
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Model.OpenAsync(_folder["tiny.gguf"], backend, new ModelOptions { Memory = memory }, told, cancel.Token));
        Assert.Equal(at, told.All[^1].Doing);
        Assert.Equal(0, memory.Taken);
        Assert.Equal(at == "ready", memory.Most > 0);
    }

    [Fact]
    public void Open_WeightsInMemory_TellsTheirBytes()
    {
        var told = new Told();
        using var tiny = new TinyModel(options: new ModelOptions { Progress = told });
        Assert.Equal(["opening", "ready"], told.All.Select(value => value.Doing));
        Assert.Equal(0, told.All[0].Done);
        Assert.True(told.All[1].Done == told.All[1].Total && told.All[1].Total > 1000);
    }

    private sealed class Told(Action<LoadProgress>? hear = null) : IProgress<LoadProgress>
    {
        public List<LoadProgress> All { get; } = [];

        public void Report(LoadProgress value)
        {
            All.Add(value);
            hear?.Invoke(value);
        }
    }
}
