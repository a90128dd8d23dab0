using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class ArenaRowsTests
{
    public static TheoryData<string> Models => [.. TinyModels.Names];

    [Theory, MemberData(nameof(Models))]
    public void Rows_OfEveryValue_LieAnOddNumberOfLinesApartAndValuesDoNotMeet(string model)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32);
        Plan plan = Architecture.Record(weights.Metadata, weights.Weights);
        var rows = new ArenaRows(plan);

        for (int a = 0; a < plan.Registers.Length; a++)
        {
            RegisterSpec left = plan.Registers[a];
            if (left.ArenaOffset < 0)
            {
                Assert.Equal(-1, rows.Offset(a));
                continue;
            }
            int stride = ArenaRows.Stride(left.Width);
            Assert.True(stride >= left.Width && stride % 32 == 16, $"{left.Width} columns, {stride} floats apart");
            Assert.InRange(rows.Offset(a) + stride, 0, rows.FloatsPerRow);
            for (int b = 0; b < plan.Registers.Length; b++)
            {
                // What the plan keeps apart stays apart.
                RegisterSpec right = plan.Registers[b];
                if (right.ArenaOffset >= left.ArenaOffset + left.Width) Assert.True(rows.Offset(b) >= rows.Offset(a) + stride);
                if (right.ArenaOffset == left.ArenaOffset) Assert.Equal(rows.Offset(a), rows.Offset(b));
            }
        }
    }
}
