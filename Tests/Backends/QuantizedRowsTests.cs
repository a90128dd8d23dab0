using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Rounding activations to 8 bit: what comes out stands for what went in, and emitted code gives the same bits.</summary>
public sealed unsafe class QuantizedRowsTests
{
    private const int Rows = 13, Columns = 416;   // a super block of 256 and a part of one

    [Fact]
    public void Fill_OfRows_IsWithinHalfAStepAndSumsUp()
    {
        using var input = new NativeBuffer((long)Rows * Columns * sizeof(float));
        Matrix x = Inputs(input);
        using var rounded = new QuantizedRows(Rows, Columns);
        rounded.Fill(0, Rows, x, 0, Columns);
        for (int r = 0; r < Rows; r++)
        {
            QuantizedRow row = rounded.Row(r);
            for (int block = 0; block < Columns / QuantizedRows.Block; block++)
            {
                int low = 0, high = 0;
                for (int i = 0; i < QuantizedRows.Block; i++)
                {
                    int q = row.Values[block * QuantizedRows.Block + i];
                    float exact = x.Row(r)[block * QuantizedRows.Block + i];
                    if (i < 16) low += q;
                    else high += q;
                    if (row.Scales[block] > 1e-20f) Assert.True(Math.Abs(q * row.Scales[block] - exact) <= 0.5001f * row.Scales[block], $"row {r}, block {block}, {i}: {exact:g9}");
                }
                Assert.Equal(-128 * low, row.Starts16[2 * block]);
                Assert.Equal(-128 * high, row.Starts16[2 * block + 1]);
                Assert.Equal(-128 * (low + high), row.Starts32[block]);
                Assert.Equal((low + high) * row.Scales[block], row.Sums32[block]);
                Assert.Equal(high * row.Scales[block], row.Sums16[2 * block + 1]);
            }
        }
    }

    [MachineFact(Needs.EmittedCode)]
    public void Fill_ByEmittedCode_GivesTheSameBits()
    {
        using var input = new NativeBuffer((long)Rows * Columns * sizeof(float));
        Matrix x = Inputs(input);
        using var code = new CodeCache();
        using QuantizedRows plain = new(Rows, Columns, code), emitted = new(Rows, Columns, code);
        for (int r = 0; r < Rows; r++) plain.Fill(r, x.Row(r), 0, Columns);
        emitted.Fill(0, Rows, x, 0, 96);   // in two parts, as units of channels do it
        emitted.Fill(0, Rows, x, 96, Columns - 96);
        for (int r = 0; r < Rows; r++)
        {
            QuantizedRow a = plain.Row(r), b = emitted.Row(r);
            int blocks = Columns / QuantizedRows.Block;
            Assert.Equal(new ReadOnlySpan<sbyte>(a.Values, Columns), new ReadOnlySpan<sbyte>(b.Values, Columns));
            Assert.Equal(new ReadOnlySpan<float>(a.Scales, blocks), new ReadOnlySpan<float>(b.Scales, blocks));
            Assert.Equal(new ReadOnlySpan<int>(a.Starts32, blocks), new ReadOnlySpan<int>(b.Starts32, blocks));
            Assert.Equal(new ReadOnlySpan<int>(a.Starts16, 2 * blocks), new ReadOnlySpan<int>(b.Starts16, 2 * blocks));
            Assert.Equal(new ReadOnlySpan<float>(a.Sums32, blocks), new ReadOnlySpan<float>(b.Sums32, blocks));
            Assert.Equal(new ReadOnlySpan<float>(a.Sums16, 2 * blocks), new ReadOnlySpan<float>(b.Sums16, 2 * blocks));
            if (r >= RowLanes.Rows) continue;
            int bytes = (int)plain.Lanes.RowBytes;
            Assert.Equal(new ReadOnlySpan<byte>(plain.Lanes.Starts(r), bytes), new ReadOnlySpan<byte>(emitted.Lanes.Starts(r), bytes));
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Fill_OneValueNotFinite_MakesItsBlockNotFinite(float bad)
    {
        using var input = new NativeBuffer((long)Rows * Columns * sizeof(float));
        using CodeCache? code = Avx512Support.IsAvailable ? new CodeCache() : null;
        sbyte* values = stackalloc sbyte[QuantizedRows.Block];
        for (int at = 0; at < QuantizedRows.Block; at++)
        {
            Matrix x = Inputs(input);
            for (int r = 0; r < Rows; r++) x.Row(r)[64 + at] = bad;
            using QuantizedRows plain = new(Rows, Columns), best = new(Rows, Columns, code);
            for (int r = 0; r < Rows; r++) plain.Fill(r, x.Row(r), 0, Columns);
            best.Fill(0, Rows, x, 0, Columns);
            for (int r = 0; r < Rows; r++)
            {
                Assert.False(float.IsFinite(QuantizedRows.RoundScalar(x.Row(r) + 64, 32, values)));
                foreach (QuantizedRow row in new[] { plain.Row(r), best.Row(r) })
                {
                    Assert.False(float.IsFinite(row.Scales[2]), $"row {r}, column {at}");
                    Assert.False(float.IsFinite(row.Scales[2] * row.Values[64 + at]), "what a product makes of it");
                    Assert.True(float.IsFinite(row.Scales[1]) && float.IsFinite(row.Scales[3]));
                }
            }
        }
    }

    /// <summary>Random values of many sizes; a row of zeros, one of next to nothing, and ties between two integers.</summary>
    private static Matrix Inputs(NativeBuffer memory)
    {
        var x = new Matrix((float*)memory.Address, Columns, Columns);
        var random = new Random(5);
        for (int r = 0; r < Rows; r++)
            for (int i = 0; i < Columns; i++)
                x.Row(r)[i] = r switch
                {
                    5 => 0,
                    6 => 1e-35f * (i - 80),
                    7 => i % QuantizedRows.Block == 0 ? 127 : i % QuantizedRows.Block - 15.5f,
                    _ => (random.NextSingle() * 2 - 1) * MathF.Pow(10, r - 6),
                };
        return x;
    }
}
