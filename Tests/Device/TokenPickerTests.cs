using System.Numerics;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Picks are what the text on <see cref="TokenPick"/> says, to the integer.</summary>
public sealed class TokenPickerTests
{
    /// <summary>Known answers of Random123's philox4x32-10.</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0xa4093822u, 0x299f31d0u, 0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void CounterRandom_PublishedBlocks_AreMet(uint k0, uint k1, uint c0, uint c1, uint c2, uint c3, uint x0, uint x1, uint x2, uint x3) =>
        Assert.Equal((x0, x1, x2, x3), CounterRandom.Block(k0, k1, c0, c1, c2, c3));

    [Fact]
    public void Weight_OfAnyExponent_IsThePowerOfTwo()
    {
        for (float x = 0; x > -40; x -= 0.00371f)
            Assert.InRange(TokenPicker.Weight(x, 0, 1), Math.Floor(Math.Pow(2, 30.0 + x) * (1 - 2e-7)) - 1, Math.Ceiling(Math.Pow(2, 30.0 + x) * (1 + 2e-7)));
        Assert.Equal(1u << 30, TokenPicker.Weight(3.25f, 3.25f, 0.7f));
        Assert.Equal(0u, TokenPicker.Weight(float.NegativeInfinity, 1, 1));
        Assert.Equal(0u, TokenPicker.Weight(float.NaN, 1, 1));
    }

    [Fact]
    public void Pick_RandomRowsAndSettings_FollowsTheDefinition()
    {
        var random = new Random(11);
        var picker = new TokenPicker();
        for (int round = 0; round < 4000; round++)
        {
            float[] logits = Row(random, random.Next(1, 300));
            var pick = new TokenPick(
                random.Next(6) == 0 ? 0 : 0.1f + 2 * random.NextSingle(), random.Next(3) == 0 ? random.Next(1, 400) : 0,
                random.Next(2) == 0 ? random.NextSingle() : 1, random.Next(2) == 0 ? random.NextSingle() : 0, (ulong)random.NextInt64());
            long position = random.NextInt64(1L << 40);
            Assert.Equal(ByDefinition(logits, pick, position), picker.Pick(logits, pick, position));
        }
    }

    [Fact]
    public void Pick_ManyPositions_HasTheProbabilitiesOfTheSoftmax()
    {
        float[] logits = [0, MathF.Log(2), MathF.Log(5), float.NegativeInfinity];
        int[] seen = new int[4];
        var picker = new TokenPicker();
        for (int position = 0; position < 80_000; position++) seen[picker.Pick(logits, new TokenPick(1, Seed: 3), position)]++;
        Assert.Equal(0, seen[3]);
        Assert.InRange(seen[0], 9_600, 10_400);
        Assert.InRange(seen[1], 19_500, 20_500);
    }

    [Fact]
    public void Pick_NothingAboveNegativeInfinity_IsNone()
    {
        var picker = new TokenPicker();
        Assert.Equal(-1, picker.Pick([float.NaN, float.NegativeInfinity], default, 0));
        Assert.Equal(-1, picker.Pick([float.NaN], new TokenPick(1), 0));
        Assert.Equal(1, picker.Pick([float.NaN, float.PositiveInfinity, 3], new TokenPick(1), 0));
    }

    [Theory]
    [InlineData(-1f, 0, 1f, 0f, "Temperature")]
    [InlineData(1f, -2, 1f, 0f, "TopK")]
    [InlineData(1f, 0, 1.5f, 0f, "TopP")]
    [InlineData(1f, 0, 1f, float.NaN, "MinP")]
    public void Validate_OutOfRange_NamesTheSetting(float temperature, int topK, float topP, float minP, string name) =>
        Assert.Contains(name, Assert.Throws<ArgumentException>(() => new TokenPick(temperature, topK, topP, minP).Validate()).Message);

    /// <summary>Rows of few distinct values have ties; now and then one that is not finite.</summary>
    private static float[] Row(Random random, int length)
    {
        float[] logits = new float[length];
        int grain = random.Next(1, 40);
        for (int i = 0; i < length; i++)
            logits[i] = random.Next(50) switch { 0 => float.NaN, 1 => float.NegativeInfinity, _ => random.Next(-3 * grain, 3 * grain) * 2f / grain };
        logits[random.Next(length)] = 1;
        return logits;
    }

    /// <summary>Every token sorted, every sum a big integer.</summary>
    private static int ByDefinition(float[] logits, TokenPick pick, long position)
    {
        int[] order = [.. Enumerable.Range(0, logits.Length).Where(i => logits[i] > float.NegativeInfinity).OrderByDescending(i => logits[i]).ThenBy(i => i)];
        if (pick.Temperature == 0) return order[0];
        float max = logits[order[0]];
        BigInteger Weight(int i) => TokenPicker.Weight(logits[i], max, TokenPicker.Log2E);
        if (pick.TopK > 0) order = [.. order.Take(pick.TopK)];
        if (pick.TopP is > 0 and < 1)
        {
            BigInteger sum = order.Aggregate(BigInteger.Zero, (s, i) => s + Weight(i)), target = new(Math.Ceiling(pick.TopP * (double)sum));
            int count = 0;
            for (BigInteger covered = 0; covered < target; count++) covered += Weight(order[count]);
            order = order[..count];
        }
        BigInteger least = new(Math.Floor(pick.MinP * (double)(1 << 30)));
        int[] kept = [.. order.Where(i => Weight(i) >= least).Order()];
        BigInteger Draw(int i) => TokenPicker.Weight(logits[i], max, TokenPicker.Log2E / pick.Temperature);
        BigInteger rest = kept.Aggregate(BigInteger.Zero, (s, i) => s + Draw(i)) * CounterRandom.Next(pick.Seed, position) >> 64;
        foreach (int id in kept)
        {
            if (Draw(id) > rest) return id;
            rest -= Draw(id);
        }
        throw new InvalidOperationException("The weights sum to more than their sum.");
    }
}
