using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Whether blocks are finite is told from their bytes; it must be what decoding them would tell.</summary>
public sealed class FiniteBlockTests
{
    public static TheoryData<string> Types => [.. QuantTypes.All.Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Types))]
    public void AllFinite_AnyBytes_IsWhatDecodingTells(string name)
    {
        QuantType type = QuantTypes.ByName(name)!;
        var random = new Random(7);
        byte[] row = new byte[3 * type.BlockBytes];
        float[] values = new float[3 * type.BlockLength];
        int finite = 0;
        for (int i = 0; i < 20_000; i++)
        {
            random.NextBytes(row);
            // Random halves are hardly ever infinite: one in four rows gets the bits of one somewhere.
            if (i % 4 == 0) (row[random.Next(row.Length - 1)], row[random.Next(row.Length)]) = (0x7c, 0xfc);
            type.DecodeRow(row, values);
            bool expected = values.All(float.IsFinite);
            if (expected) finite++;
            Assert.True(expected == type.AllFinite(row), $"{name}: {Convert.ToHexString(row)} decodes to {(expected ? "finite" : "other")} values.");
        }
        Assert.True(finite > 0);
    }

    [Theory]
    [InlineData("F32", 4)]
    [InlineData("F16", 2)]
    [InlineData("BF16", 2)]
    public void AllFinite_OneValueAnywhereInARow_IsFound(string name, int bytes)
    {
        QuantType type = QuantTypes.ByName(name)!;
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            byte[] one = new byte[bytes], row = new byte[71 * bytes];
            type.EncodeRow([bad], [], one);
            for (int i = 0; i < 71; i++)
            {
                Array.Clear(row);
                Assert.True(type.AllFinite(row));
                one.CopyTo(row, i * bytes);
                Assert.False(type.AllFinite(row), $"{bad} at {i}");
            }
        }
    }
}
