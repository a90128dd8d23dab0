using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>How many tokens of a prompt the cuda backend takes at a time.</summary>
public sealed class CudaChunkTests
{
    [MachineFact(Needs.Cuda)]
    public void Chunk_OfAModelWhoseRowsTakeLittleMemory_IsLongerUnlessTheUserSays()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using IBackend backend = TestBackends.Create("cuda");
        using (Model model = Model.Open(weights.Metadata, weights.Weights, backend)) Assert.InRange(model.ChunkTokens, 2 * backend.Device.ChunkTokens, 1 << 16);
        using (Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { ChunkTokens = 100 })) Assert.Equal(100, model.ChunkTokens);
    }

    [MachineFact(Needs.Cuda)]
    public void Chunk_OfAPlanWhoseRowsTakeMuchMemory_IsTheUsual()
    {
        var b = new CaseBuilder("wide rows");
        using IBackend backend = TestBackends.Create("cuda");
        int width = (int)Math.Min(1 << 20, backend.Device.MemoryBytes / 200 / sizeof(float) / 4096 + 64);
        Plan plan = b.Plan.Build(b.Plan.SelectOutputs("outputs", b.Input(width)));
        Assert.Equal(backend.Device.ChunkTokens, backend.ChunkTokensFor(plan));
    }
}
