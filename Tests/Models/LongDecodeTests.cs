using System.Runtime.InteropServices;
using MambaRT.Bench;
using MambaRT.Cli;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>A hundred thousand tokens decoded one at a time on a GPU end in the logits and states that the CPU comes to, which reads them as a prompt.</summary>
public sealed class LongDecodeTests
{
    private const int Tokens = 100_000, EmulatedTokens = 200, Looks = 10;

    public static TheoryData<string, string> Tiny
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (string model in TinyModels.Names)
                foreach (string type in (string[])["F16", "Q8_0"]) rows.Add(model, type);
            return rows;
        }
    }

    [MachineTheory(Needs.Cuda)]
    [MemberData(nameof(Tiny))]
    public void Decode_OfATinyModel_EndsWhereTheCpuDoes(string model, string type)
    {
        using var gpu = new TinyRun("cuda", model, QuantTypes.ByName(type)!);
        using var cpu = new TinyRun("cpu", model, QuantTypes.ByName(type)!);
        Compare(gpu.Model, cpu.Model, type == "F16" ? new Tolerance(1e-5, "float32 sums in another order, through two layers")
            : new Tolerance(3e-2, "a difference of one bit may round an activation to the next of 255 steps, in each of two layers"));
    }

    [MachineFact(Needs.CudaDevice)]
    public void Decode_OfTheBundledModel_EndsWhereTheCpuDoes()
    {
        string bundled = ModelData.PathOf("models", DefaultModel.FileName);
        Compare(File.Exists(bundled) ? bundled : PublishedBinary.Model, new Tolerance(5e-2, "8-bit weights and activations, each of which a difference of one bit may round to the next of 255 steps"));
    }

    [MachineTheory(Needs.CudaDevice)]
    [InlineData("mamba-130m")]
    [InlineData("mamba2-130m")]
    public void Decode_OfALargeModel_EndsWhereTheCpuDoes(string shape)
    {
        using var folder = new TemporaryFolder();
        ModelMaker.Write(ModelShape.ByName(shape)!, "F16", folder["model.gguf"]);
        Compare(folder["model.gguf"], new Tolerance(1e-3, "float32 sums in another order, through 24 layers"));
    }

    private static void Compare(string path, Tolerance tolerance)
    {
        using IBackend device = TestBackends.Create("cuda"), processor = TestBackends.Create("cpu", threads: Math.Max(2, Environment.ProcessorCount / 4));   // others run beside
        using Model gpu = Model.Open(path, device), cpu = Model.Open(path, processor);
        Compare(gpu, cpu, tolerance);
    }

    private static void Compare(Model gpu, Model cpu, Tolerance tolerance)
    {
        using Session decoded = gpu.StartSession(), read = cpu.StartSession();
        int count = EmulatedCuda.IsLoaded ? EmulatedTokens : Tokens;
        int[] tokens = LogitsCheck.Stream(count, cpu.Plan.VocabularySize, 0);
        for (int done = 0; done < count; done += count / Looks)
        {
            ReadOnlySpan<int> next = tokens.AsSpan(done, count / Looks);
            Task<float[]> reading = Task.Run(() => read.Feed(tokens.AsSpan(done, count / Looks)).ToArray());
            ReadOnlySpan<float> logits = default;
            foreach (ref readonly int token in next) logits = decoded.Feed(new ReadOnlySpan<int>(in token));
            tolerance.Check($"logits after {decoded.Position} tokens", reading.GetAwaiter().GetResult(), logits);
        }
        Assert.Equal(count, decoded.Position);
        ReadOnlySpan<float> expected = MemoryMarshal.Cast<byte, float>(read.Save().State.Span), got = MemoryMarshal.Cast<byte, float>(decoded.Save().State.Span);
        foreach (StateSpec state in cpu.Plan.States.Entries)
            tolerance.Check($"state '{state.Name}' after {count} tokens", expected.Slice((int)state.CanonicalOffset, (int)state.Count), got.Slice((int)state.CanonicalOffset, (int)state.Count));
    }
}
