using System.Diagnostics;
using MambaRT.Backends.Auto;
using MambaRT.Backends.Cuda;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>A device that fails, or has too little memory: a sentence, the session that is concerned and nothing else, and nothing left behind. On the emulated driver.</summary>
[Collection(nameof(CudaFailureTests))]
[CollectionDefinition(nameof(CudaFailureTests), DisableParallelization = true)]
public sealed class CudaFailureTests : IDisposable
{
    private const long DeviceBytes = 4L << 30;

    private const int OutOfMemory = EmulatedCuda.OutOfMemory, IllegalAddress = EmulatedCuda.IllegalAddress, LaunchFailed = 719, InvalidValue = 1;

    private static readonly int[] Prompt = TinyModels.Tokens(100);

    private readonly long _used, _alive;

    public CudaFailureTests()
    {
        if (!EmulatedCuda.IsLoaded) return;
        EmulatedCuda.Heal();
        EmulatedCuda.Resize(DeviceBytes);
        (_used, _alive) = (EmulatedCuda.Used, EmulatedCuda.Alive);
    }

    public void Dispose()
    {
        if (!EmulatedCuda.IsLoaded) return;
        EmulatedCuda.Heal();
        EmulatedCuda.Resize(DeviceBytes);
    }

    [MachineFact(Needs.EmulatedCuda)]
    public void Info_UnderAuto_BringsNothingToTheDevice()
    {
        CommandLine asked = CommandLine.Run(["info", "--backend", "cuda"]);
        EmulatedCuda.Fail("cuMemAlloc", 0, OutOfMemory);
        CommandLine auto = CommandLine.Run(["info"]), cuda = CommandLine.Run(["info", "--backend", "cuda"]);
        Assert.Equal((0, 0), (asked.Code, auto.Code));
        Assert.Equal(asked.Output, auto.Output);
        Assert.Contains("CUDA_ERROR_OUT_OF_MEMORY", cuda.Error, StringComparison.Ordinal);
    }

    [MachineTheory(Needs.EmulatedCuda)]
    [InlineData("cuMemAlloc")]
    [InlineData("cuStreamCreate")]
    [InlineData("cuModuleLoadData")]
    public void Logits_UnderAutoWhereTheDeviceFailsToLoad_AreOfTheCpuAndSayWhy(string call)
    {
        string[] line = ["logits", "--tokens", "5,17", "--top", "3", "--json"];
        CommandLine cpu = CommandLine.Run([.. line, "--backend", "cpu"]);
        EmulatedCuda.Fail(call, 0, InvalidValue);
        CommandLine auto = CommandLine.Run(line);
        Assert.Equal((0, 0), (cpu.Code, auto.Code));
        Assert.Equal(cpu.Output, auto.Output);
        Assert.Contains("On cpu, as the GPU was not taken: ", auto.Error, StringComparison.Ordinal);
        Assert.Contains($"{call} failed with", auto.Error, StringComparison.Ordinal);
    }

    [MachineTheory(Needs.EmulatedCuda)]
    [InlineData("cuMemAlloc", OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY")]
    [InlineData("cuMemHostRegister", OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY")]
    [InlineData("cuMemHostGetDevicePointer", InvalidValue, "CUDA_ERROR_INVALID_VALUE")]
    [InlineData("cuMemcpyHtoDAsync", InvalidValue, "CUDA_ERROR_INVALID_VALUE")]
    [InlineData("cuMemcpyHtoDAsync", IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS")]
    [InlineData("cuStreamCreate", OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY")]
    [InlineData("cuStreamSynchronize", LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED")]
    [InlineData("cuEventCreate", OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY")]
    [InlineData("cuLinkCreate", OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY")]
    [InlineData("cuLinkAddData", InvalidValue, "CUDA_ERROR_INVALID_VALUE")]
    [InlineData("cuModuleLoadData", InvalidValue, "CUDA_ERROR_INVALID_VALUE")]
    [InlineData("cuMemGetInfo", InvalidValue, "CUDA_ERROR_INVALID_VALUE")]
    [InlineData("cuDevicePrimaryCtxRetain", OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY")]
    public void Open_CallThatFails_IsASentenceAndLeavesNothing(string call, int code, string name)
    {
        int failures = 0;
        for (int after = 0; after < 400; after = after < 8 ? after + 1 : after * 3)
        {
            EmulatedCuda.Fail(call, after, code);
            try
            {
                using var run = new TinyRun("cuda", "mamba-untied-biases", QuantTypes.Q8_0);
            }
            catch (CudaException e)
            {
                Assert.Contains($"{call} failed with {code} {name}", e.Message);
                failures++;
            }
            EmulatedCuda.Heal();
            EnsureNothingLeft();
        }
        Assert.NotEqual(0, failures);
    }

    [MachineTheory(Needs.EmulatedCuda)]
    [InlineData("cuLaunchKernel", InvalidValue, 3)]
    [InlineData("cuLaunchKernel", IllegalAddress, 3)]
    [InlineData("cuGraphLaunch", InvalidValue, 1)]
    [InlineData("cuGraphLaunch", LaunchFailed, 1)]
    [InlineData("cuGraphInstantiate", OutOfMemory, 1)]
    [InlineData("cuStreamBeginCapture", InvalidValue, 1)]
    [InlineData("cuStreamSynchronize", IllegalAddress, 1)]
    [InlineData("cuMemcpyHtoDAsync", InvalidValue, 100)]
    [InlineData("cuMemcpyDtoHAsync", InvalidValue, 1)]
    [InlineData("cuMemcpyDtoHAsync", IllegalAddress, 1)]
    public void Feed_CallThatFails_ConcernsTheSessionAlone(string call, int code, int tokens)
    {
        using (var other = new TinyRun("cuda", "mamba2-g3", QuantTypes.F32))
        {
            using (var run = new TinyRun("cuda", "mamba-untied-biases", QuantTypes.F32))
            {
                using Session session = run.Model.StartSession(), sibling = run.Model.StartSession(), foreign = other.Model.StartSession();
                float[] expected = sibling.Feed(Prompt).ToArray();
                foreign.Feed(Prompt);
                session.Feed([1, 2]);
                EmulatedCuda.Fail(call, 0, code);

                CudaException e = Assert.Throws<CudaException>(() => session.Feed(Prompt.AsSpan(0, tokens)));

                Assert.Contains($"{call} failed with {code} CUDA_ERROR_", e.Message);
                Assert.DoesNotContain('\n', e.Message);
                EmulatedCuda.Heal();   // another context, or a failure that was one call's
                foreign.Feed([1]);
                sibling.Reset();
                Assert.Equal(expected, sibling.Feed(Prompt).ToArray());
                session.Reset();
                Assert.Equal(expected, session.Feed(Prompt).ToArray());
            }
        }
        EnsureNothingLeft();
    }

    [MachineTheory(Needs.EmulatedCuda)]
    [InlineData(1)]
    [InlineData(100)]
    public void Feed_SecondOfTwoDevicesFails_ConcernsTheSessionAlone(int tokens)
    {
        using (var run = new TinyRun("cpu+cuda", "mamba-untied-biases", QuantTypes.F32))
        {
            using Session session = run.Model.StartSession(), sibling = run.Model.StartSession();
            float[] expected = sibling.Feed(Prompt).ToArray();
            session.Feed([1, 2]);
            EmulatedCuda.Fail("cuStreamSynchronize", 0, LaunchFailed);
            Assert.Contains("cuStreamSynchronize failed with 719", Assert.Throws<CudaException>(() => session.Feed(Prompt.AsSpan(0, tokens))).Message);
            EmulatedCuda.Heal();
            Assert.Equal(100, sibling.Position);
            sibling.Feed([1]);
            session.Reset();
            Assert.Equal(expected, session.Feed(Prompt).ToArray());
        }
        EnsureNothingLeft();
    }

    [MachineTheory(Needs.EmulatedCuda)]
    [InlineData(1)]
    [InlineData(100)]
    public void Feed_LaunchThatFails_NamesTheOp(int count)
    {
        using var run = new TinyRun("cuda", "mamba-tied", QuantTypes.F32);
        using Session session = run.Model.StartSession();
        int[] tokens = Prompt[..count];
        EmulatedCuda.Fail("cuLaunchKernel", 3, IllegalAddress);
        Assert.Matches(@"^(token_embd|output|blk\.\d)\S*: cuLaunchKernel failed with 700 CUDA_ERROR_ILLEGAL_ADDRESS \(", Assert.Throws<CudaException>(() => session.Feed(tokens)).Message);
    }

    [MachineFact(Needs.EmulatedCuda)]
    public void Feed_DeviceLostWithinAToken_LosesTheStateAndSaysSo()
    {
        using (var run = new TinyRun("cuda", "mamba-tied", QuantTypes.F32))
        {
            using Session session = run.Model.StartSession();
            session.Feed(Prompt);
            session.Feed([1]);
            EmulatedCuda.Fail("cuStreamSynchronize", 0, IllegalAddress);
            Assert.Contains("a run: cuStreamSynchronize failed with 700 CUDA_ERROR_ILLEGAL_ADDRESS", Assert.Throws<CudaException>(() => session.Feed([1])).Message);
            Assert.Contains("lost its state", Assert.Throws<InvalidOperationException>(() => session.Save()).Message);
            Assert.Contains("failed with 700", Assert.Throws<CudaException>(session.Reset).Message);
            Assert.Contains("failed with 700", Assert.Throws<CudaException>(run.Model.StartSession).Message);
            Assert.Contains("failed with 700", Assert.Throws<CudaException>(() => new TinyRun("cuda", "mamba-tied", QuantTypes.F32)).Message);
        }
        EnsureNothingLeft();   // although every call failed
    }

    [MachineFact(Needs.EmulatedCuda)]
    public void FeedBatch_LaunchThatFails_LosesTheStatesOfItsSessionsOnly()
    {
        using var run = new TinyRun("cuda", "mamba2-g1", QuantTypes.F32);
        using Session a = run.Model.StartSession(), b = run.Model.StartSession(), c = run.Model.StartSession();
        foreach (Session session in (Session[])[a, b, c]) session.Feed(Prompt);
        run.Model.FeedBatch([a, b], [1, 2]);
        EmulatedCuda.Fail("cuGraphLaunch", 0, InvalidValue);
        Assert.Throws<CudaException>(() => run.Model.FeedBatch([a, b], [1, 2]));
        Assert.Contains("lost its state", Assert.Throws<InvalidOperationException>(() => a.Save()).Message);
        Assert.Contains("lost its state", Assert.Throws<InvalidOperationException>(() => b.Feed([1])).Message);
        c.Feed([1]);
    }

    [MachineFact(Needs.EmulatedCuda)]
    public void StartSession_DeviceFull_IsRefusedAndTheOthersGoOn()
    {
        using (var run = new TinyRun("cuda", "mamba-tied", QuantTypes.F32))
        {
            using Session session = run.Model.StartSession();
            session.Feed(Prompt);
            EmulatedCuda.Resize(EmulatedCuda.Used);
            Assert.Contains("no memory left for another state", Assert.Throws<StateBudgetException>(run.Model.StartSession).Message);
            Assert.Throws<StateBudgetException>(session.Fork);
            session.Feed([1]);
            EmulatedCuda.Resize(DeviceBytes);
            using Session another = run.Model.StartSession();
            another.Feed(Prompt);
        }
        EnsureNothingLeft();
    }

    [MachineFact(Needs.EmulatedCuda)]
    public void Load_CancelledWhileUploading_GivesTheMemoryBack()
    {
        using (TinyWeights weights = TinyModels.Make("mamba-untied-biases", QuantTypes.F16))
        using (IBackend backend = TestBackends.Create("cuda"))
        {
            Plan plan = Architecture.Record(weights.Metadata, weights.Weights);
            using var cancel = new CancellationTokenSource();
            var heard = new Heard(progress =>
            {
                Assert.Equal("uploading", progress.Doing);
                if (progress.Done > progress.Total / 2) cancel.Cancel();
            });
            Assert.Throws<OperationCanceledException>(() => backend.Load(plan, weights.Weights, new LoadOptions { Progress = heard }, cancel.Token));
        }
        EnsureNothingLeft();
    }

    [MachineTheory(Needs.EmulatedCuda)]
    [InlineData("cuda")]
    [InlineData("cpu+cuda")]
    public void Open_Cancelled_GivesTheMemoryBack(string backendName)
    {
        using (TinyWeights weights = TinyModels.Make("mamba-untied-biases", QuantTypes.F16))
        using (IBackend backend = TestBackends.Create(backendName))
        {
            using var cancel = new CancellationTokenSource();
            var options = new ModelOptions
            {
                Progress = new Heard(told =>
                {
                    if (told.Doing == "uploading") cancel.Cancel();
                }),
            };
            Assert.Throws<OperationCanceledException>(() => Model.Open(weights.Metadata, weights.Weights, backend, options, cancel.Token));
            using Model model = Model.Open(weights.Metadata, weights.Weights, backend);
            using Session session = model.StartSession();
            session.Feed([1]);
        }
        EnsureNothingLeft();
    }

    /// <summary>Kernels that the driver has kept from an earlier run are there before anybody could wonder.</summary>
    [MachineFact(Needs.EmulatedCuda)]
    public void Open_KernelsTakeLong_SaysThatTheyAreCompiled()
    {
        const string Sentence = "compiling kernels for this device, which is done once";
        const int Moment = 300, Tries = 20;
        EmulatedCuda.CompileFor(2 * Moment);
        try
        {
            Assert.Contains(Sentence, Told(out _));
        }
        finally
        {
            EmulatedCuda.CompileFor(0);
        }
        for (int i = 0; i < Tries; i++)
        {
            string[] told = Told(out long milliseconds);
            if (milliseconds >= Moment) continue;   // others had the processor
            Assert.DoesNotContain(Sentence, told);
            return;
        }

        static string[] Told(out long milliseconds)
        {
            using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
            using IBackend backend = TestBackends.Create("cuda");
            var told = new List<string>();
            var clock = Stopwatch.StartNew();
            using Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { Progress = new Heard(progress => told.Add(progress.Doing)) });
            milliseconds = clock.ElapsedMilliseconds;
            return [.. told];
        }
    }

    [MachineTheory(Needs.EmulatedCuda)]
    [InlineData("mamba-tied")]
    [InlineData("mamba2-g3")]
    public void WhyNot_TooLittleMemory_NamesTheLayersThatFit(string name)
    {
        using TinyWeights weights = TinyModels.Make(name, QuantTypes.F32, layers: 8);
        Plan plan = Model.PlanOf(weights.Metadata, weights.Weights);
        using IBackend backend = TestBackends.Create("cuda");
        var told = new SortedSet<int>();
        bool fits = true;
        for (long bytes = 64 << 20; bytes > 0; bytes -= 64 << 10)
        {
            EmulatedCuda.Resize(EmulatedCuda.Used + bytes);
            string? why = backend.WhyNot(plan, weights.Weights);
            Assert.True(fits || why is not null);
            fits = why is null;
            if (why is null || !why.Contains("--gpu-layers", StringComparison.Ordinal)) continue;
            Assert.Matches(@"needs [\d,]+ MiB on the device and [\d,]+ MiB are free: [\d,]+ MiB are missing; ", why);
            int layers = int.Parse(why[(why.IndexOf("--gpu-layers ", StringComparison.Ordinal) + 13)..].Split(',')[0]);
            told.Add(layers);
            Assert.InRange(layers, 1, 7);
            using IBackend some = new SplitBackend(TestBackends.Create("cpu"), TestBackends.Create("cuda"), layers), more = new SplitBackend(TestBackends.Create("cpu"), TestBackends.Create("cuda"), layers + 1);
            Assert.Null(some.WhyNot(plan, weights.Weights));
            Assert.NotNull(more.WhyNot(plan, weights.Weights));
        }
        Assert.False(fits);
        Assert.NotEmpty(told);
    }

    /// <summary>Memory that is enough for short chunks alone: 'auto' asks for those that the user gave.</summary>
    [MachineFact(Needs.EmulatedCuda)]
    public void WhyNot_UsersChunkFitsAndTheProposedDoesNot_IsNothing()
    {
        const int Chunk = 16;
        using TinyWeights weights = TinyModels.Make("mamba2-g3", QuantTypes.F32);
        Plan plan = Model.PlanOf(weights.Metadata, weights.Weights);
        using IBackend backend = TestBackends.Create("cuda");
        long bytes = 1 << 20;
        do EmulatedCuda.Resize(EmulatedCuda.Used + (bytes += 256 << 10));
        while (backend.WhyNot(plan, weights.Weights, Chunk) is not null);
        Assert.Contains("missing", backend.WhyNot(plan, weights.Weights));
        Assert.Contains("missing", backend.WhyNot(plan, weights.Weights, backend.ChunkTokensFor(plan)));

        using IBackend proposed = BackendSelector.Choose(plan, weights.Weights, null, out string? why), asked = BackendSelector.Choose(plan, weights.Weights, null, out string? none, chunkTokens: Chunk);
        Assert.NotEqual("cuda", proposed.Name);
        Assert.Contains("missing", why);
        Assert.Equal(("cuda", null), (asked.Name, none));
        using Model model = Model.Open(weights.Metadata, weights.Weights, asked, new ModelOptions { ChunkTokens = Chunk });
        using Session session = model.StartSession();
        Assert.Equal(plan.VocabularySize, session.Feed([.. Enumerable.Range(1, 40)]).Length);
    }

    private void EnsureNothingLeft()
    {
        Assert.Equal(_used, EmulatedCuda.Used);
        Assert.Equal(_alive, EmulatedCuda.Alive);
    }

    private sealed class Heard(Action<LoadProgress> hear) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => hear(value);
    }
}
