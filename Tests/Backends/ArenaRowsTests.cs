using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class ArenaRowsTests
{
    public static TheoryData<string> Models => [.. TinyModels.Names];

    [Theory, MemberData(nameof(Models))]
    public void Rows_OfEveryValue_LieAnOddNumberOfLinesApart(string model)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32);
        Plan plan = Architecture.Record(weights.Metadata, weights.Weights);
        var layout = new ArenaLayout(plan, ArenaRows.Stride);

        for (int a = 0; a < plan.Registers.Length; a++)
        {
            if (a == plan.Logits?.Register) continue;
            int stride = layout.Stride(a);
            Assert.True(stride >= plan.Registers[a].Width && stride % 32 == 16, $"{plan.Registers[a].Width} columns, {stride} floats apart");
            Assert.InRange(layout.Offset(a) + stride, 0, layout.FloatsPerRow);
        }
    }
}
