using Xunit;

namespace MambaRT.Tests;

/// <summary>Logits and settings to pick with, as a device may meet them at worst, and what <see cref="TokenPicker"/> gives.</summary>
internal static class PickCases
{
    private static readonly float[] Temperatures = [0, 1e-45f, 1e-6f, 0.1f, 0.8f, 1, 2, 1e30f, float.MaxValue], Shares = [0, 1e-6f, 0.1f, 0.5f, 0.95f, 0.9999f, 1], Leasts = [0, 0, 1e-10f, 0.05f, 0.5f, 1];

    /// <summary>Kinds of logits.</summary>
    public static IReadOnlyList<string> Kinds { get; } = ["normal", "flat", "ties", "equal", "spike", "far", "wide", "zeros", "tiny", "ascending"];

    /// <summary>Kinds of logits, each for vocabularies of several sizes.</summary>
    public static TheoryData<string, int> Logits
    {
        get
        {
            var rows = new TheoryData<string, int>();
            foreach (string kind in Kinds)
                foreach (int tokens in new[] { 5, 300, 5000, 50280 }) rows.Add(kind, tokens);
            return rows;
        }
    }

    /// <summary>Tokens of a vocabulary that stand for nothing.</summary>
    public static int[] Never(int tokens) => tokens < 300 ? [tokens - 1] : [3, 77, 200, tokens - 2, tokens - 1];

    /// <summary>Those that end a text.</summary>
    public static int[] Ends(int tokens) => tokens < 300 ? [1] : [0, 150];

    /// <summary>Picks from rows of a kind on a device, and compares.</summary>
    public static void Check(Random random, string kind, int tokens, int count, Func<float[][], TokenPick[], long, (int[] Tokens, bool Finite)> pick)
    {
        float[][] rows = [.. Enumerable.Range(0, count).Select(_ => Row(random, kind, tokens))];
        TokenPick[] picks = [.. rows.Select(_ => Settings(random, tokens))];
        long position = random.NextInt64(1L << 40);
        (int[] found, bool finite) = pick(rows, picks, position);
        Assert.True(finite);
        for (int i = 0; i < count; i++) Assert.True(OnHost(rows[i], picks[i], position, Never(tokens), Ends(tokens)) == found[i], $"{kind}, {tokens} tokens, {picks[i]}: {found[i]}");
    }

    /// <summary>Logits of a kind.</summary>
    public static float[] Row(Random random, string kind, int tokens)
    {
        float Normal() => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        float equal = Normal();
        float[] row = new float[tokens];
        for (int i = 0; i < tokens; i++)
            row[i] = kind switch
            {
                "normal" => 3 * Normal(),
                "flat" => 0.3f * Normal(),
                "ties" => random.Next(-4, 4) * 0.5f,
                "equal" => equal,
                "far" => -20 - 40 * random.NextSingle(),
                "wide" => (random.NextSingle() - 0.5f) * 2 * float.MaxValue,
                "zeros" => random.Next(3) switch { 0 => -0f, 1 => 0f, _ => -1e-30f },
                "tiny" => random.Next(-300, 300) * float.Epsilon,
                "ascending" => i * (20f / tokens),
                _ => -10 + Normal(),
            };
        if (kind is "spike" or "far") row[random.Next(tokens)] = 12;
        return row;
    }

    private static int OnHost(float[] row, TokenPick pick, long position, int[] never, int[] ends)
    {
        float[] logits = [.. row];
        foreach (int id in pick.NoEnds ? [.. never, .. ends] : never) logits[id] = float.NegativeInfinity;
        return new TokenPicker().Pick(logits, pick, position);
    }

    private static TokenPick Settings(Random random, int tokens)
    {
        int[] counts = [0, 0, 0, 1, 2, 40, 128, 129, tokens - 1, tokens, tokens + 5];
        T One<T>(T[] of) => of[random.Next(of.Length)];
        return new TokenPick(One(Temperatures), One(counts), One(Shares), One(Leasts), (ulong)random.NextInt64(), random.Next(2) == 0);
    }
}
