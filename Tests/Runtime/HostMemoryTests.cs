using System.Runtime.InteropServices;
using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What a model takes is told before, held to a limit, taken of the program's allocator, and given back.</summary>
public sealed class HostMemoryTests
{
    private const int Chunk = 16, Sessions = 5;

    private static readonly int[] Prompt = [.. Enumerable.Range(0, 40).Select(i => TinyModels.Token(i))];

    public static TheoryData<string, string> EachModelOnEachBackend => TestBackends.With(["mamba-tied", "mamba2-g3"]);

    public static TheoryData<string, string> EachModelOnTheProcessor
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (string name in (string[])["mamba-tied", "mamba2-g3"])
                foreach (string backend in (string[])["cpu", "cpu:avx2", "reference"])
                    if (TestBackends.Devices.Contains(backend)) rows.Add(backend, name);
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(EachModelOnEachBackend))]
    public void Estimate_ComparedWithUse_IsNoLess(string backend, string name)
    {
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.Q8_0);
        using IBackend device = TestBackends.Create(backend);
        Plan plan = Model.PlanOf(weights.Metadata, weights.Weights);
        MemoryUse told = device.Estimate(plan, weights.Weights, new LoadOptions { Slots = Sessions, ChunkTokens = Chunk });
        using Model model = Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { ChunkTokens = Chunk });
        Use(model);
        MemoryUse taken = model.Memory;
        Assert.InRange(taken.Weights, 0, told.Weights);
        Assert.InRange(taken.States, 1, told.States);
        Assert.InRange(taken.Scratch, 1, told.Scratch);
        Assert.Equal(taken.OnDevice, told.OnDevice);
    }

    [Theory]
    [MemberData(nameof(EachModelOnTheProcessor))]
    public void Limit_OfTheEstimate_IsEnough_AndLessIsHeld(string backend, string name)
    {
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.Q8_0);
        using IBackend device = TestBackends.Create(backend);
        long enough = device.Estimate(Model.PlanOf(weights.Metadata, weights.Weights), weights.Weights, new LoadOptions { Slots = Sessions, ChunkTokens = Chunk }).Total;
        Assert.Null(Try(enough));
        int refusals = 0;
        for (long limit = 1; limit < enough; limit += enough / 23)
        {
            Exception? refusal = Try(limit);
            if (refusal is null) continue;   // the estimate is of the worst order
            refusals++;
            Assert.True(refusal is InsufficientMemoryException or StateBudgetException, refusal.ToString());
            Assert.Contains("limit of memory", refusal.Message);
        }
        Assert.True(refusals > 5);

        Exception? Try(long limit)
        {
            var memory = new HostMemory(limit);
            Exception? refusal = null;
            try
            {
                using Model model = Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { ChunkTokens = Chunk, Memory = memory });
                refusal = Record.Exception(() => Use(model));
                if (refusal is not null) GoesOn(model);
            }
            catch (Exception e)
            {
                refusal ??= e;
            }
            Assert.InRange(memory.Most, 0, limit);
            Assert.Equal(0, memory.Taken);
            return refusal;
        }
    }

    [Theory]
    [InlineData("mamba-tied")]
    [InlineData("mamba2-g3")]
    public void Source_FailsAnyTime_IsToldAndGivenBackAll(string name)
    {
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.Q8_0);
        using var device = new CpuBackend(new CpuOptions { Threads = 2 });
        float[] expected;
        using (Model model = Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { ChunkTokens = Chunk })) expected = Use(model);
        int calls = int.MaxValue;
        for (int failing = 0; failing < calls; failing++)
        {
            var source = new DirtySource { FailingCall = failing };
            var memory = new HostMemory(source: source);
            Exception? refusal = null;
            float[] logits = [];
            try
            {
                using Model model = Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { ChunkTokens = Chunk, Memory = memory });
                refusal = Record.Exception(() => logits = Use(model));
                if (refusal is not null) GoesOn(model);
            }
            catch (Exception e)
            {
                refusal ??= e;
            }
            Assert.Equal(0, source.Held);
            Assert.Equal(0, memory.Taken);
            if (source.Calls > failing)
            {
                Assert.IsType<OutOfMemoryException>(refusal);
                Assert.Contains("allocator", refusal.Message);
                continue;
            }
            Assert.Null(refusal);
            Assert.Equal(expected, logits);
            calls = source.Calls;
        }
        Assert.True(calls > 10);
    }

    [Fact]
    public void Open_MemoryForADeviceWithItsOwn_IsRefused()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using var device = new LateBackend();
        string message = Assert.Throws<NotSupportedException>(() => Model.Open(weights.Metadata, weights.Weights, device, new ModelOptions { Memory = new HostMemory() })).Message;
        Assert.Contains("late", message);
    }

    [Fact]
    public void Estimate_OfAFile_NamesFileAndCopy()
    {
        using var folder = new TemporaryFolder();
        string path = folder["tiny.gguf"];
        using (var tiny = new TinyModel()) tiny.Write(path);
        using var device = new CpuBackend(new CpuOptions { Threads = 1 });
        MemoryEstimate mapped = Model.Estimate(path, (_, _) => device), copied = Model.Estimate(path, (_, _) => device, new ModelOptions { CopyToMemory = true });
        Assert.Equal(new FileInfo(path).Length, mapped.File);
        Assert.Equal(mapped.Use, copied.Use);
        Assert.Equal(mapped.Total + mapped.File, copied.Total);
        var memory = new HostMemory(copied.Total);
        using (Model model = Model.Open(path, device, new ModelOptions { CopyToMemory = true, Memory = memory }))
        {
            using Session session = model.StartSession();
            session.Feed([1, 2, 3]);
            Assert.True(memory.Taken > mapped.File);
        }
        Assert.Equal(0, memory.Taken);
    }

    /// <summary>Prompts, single tokens, and batches of all sizes up to all sessions; the logits of the last.</summary>
    private static float[] Use(Model model)
    {
        var sessions = new List<Session>();
        try
        {
            for (int i = 0; i < Sessions; i++)
            {
                sessions.Add(model.StartSession());
                sessions[i].Feed(Prompt);
            }
            float[] logits = [];
            for (int count = 1; count <= Sessions; count++)
                logits = model.FeedBatch(sessions.Take(count).ToArray(), Prompt.AsSpan(0, count)).ToArray();
            return logits;
        }
        finally
        {
            foreach (Session session in sessions) session.Dispose();
        }
    }

    /// <summary>A model that was refused memory still does what it has memory for.</summary>
    private static void GoesOn(Model model)
    {
        if (model.Loaded.Slots == 0) return;
        using Session session = model.StartSession();
        session.Feed(Prompt);
    }

    /// <summary>Memory at odd addresses that is not zero, of a heap with an end.</summary>
    private sealed class DirtySource : IMemorySource
    {
        private const int Shift = 24;

        public int FailingCall { get; init; }

        public int Calls { get; private set; }

        public int Held { get; private set; }

        public unsafe nint Allocate(long bytes)
        {
            if (Calls++ == FailingCall) return 0;
            Held++;
            byte* block = (byte*)NativeMemory.Alloc((nuint)bytes + Shift);
            new Span<byte>(block, (int)bytes + Shift).Fill(0xcc);
            *(long*)block = bytes;
            return (nint)block + Shift;
        }

        public unsafe void Free(nint address, long bytes)
        {
            byte* block = (byte*)address - Shift;
            if (*(long*)block == bytes) Held--;
            NativeMemory.Free(block);
        }
    }
}
