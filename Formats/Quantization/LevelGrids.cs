using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>The levels that a stored number can stand for, before the scale.</summary>
internal interface ILevelGrid
{
    /// <summary>The lowest level.</summary>
    static abstract float Low { get; }

    /// <summary>The highest level.</summary>
    static abstract float High { get; }

    /// <summary>The level nearest to each value.</summary>
    static abstract Vector256<float> Nearest(Vector256<float> values);
}

/// <summary>−4 to 3: Q3_K.</summary>
internal readonly struct Signed3 : ILevelGrid
{
    public static float Low => -4;

    public static float High => 3;

    public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Nearest(values, Low, High);
}

/// <summary>−8 to 7: Q4_0.</summary>
internal readonly struct Signed4 : ILevelGrid
{
    public static float Low => -8;

    public static float High => 7;

    public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Nearest(values, Low, High);
}

/// <summary>−16 to 15: Q5_0.</summary>
internal readonly struct Signed5 : ILevelGrid
{
    public static float Low => -16;

    public static float High => 15;

    public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Nearest(values, Low, High);
}

/// <summary>−32 to 31: Q6_K.</summary>
internal readonly struct Signed6 : ILevelGrid
{
    public static float Low => -32;

    public static float High => 31;

    public static Vector256<float> Nearest(Vector256<float> values) => ScaleSearch.Nearest(values, Low, High);
}

/// <summary>The sixteen uneven levels of IQ4_NL and IQ4_XS.</summary>
internal readonly struct UnevenLevels : ILevelGrid
{
    public static float Low => -127;

    public static float High => 113;

    public static Vector256<float> Nearest(Vector256<float> values)
    {
        Vector256<float> level = Vector256.Create(Low);
        for (int i = 0; i < Steps.Length; i++)
            level += Vector256.GreaterThan(values, Vector256.Create(Middles[i])) & Vector256.Create(Steps[i]);
        return level;
    }

    /// <summary>The numbers that are stored: which level is nearest to x / scale.</summary>
    public static void Quantize(ReadOnlySpan<float> x, float scale, Span<byte> q)
    {
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int k = 0; k < x.Length; k++)
        {
            float value = x[k] * inverse;
            int below = 0;
            foreach (float middle in Middles)
                if (value > middle) below++;
            q[k] = (byte)below;
        }
    }

    /// <summary>Half-way between one level and the next.</summary>
    private static ReadOnlySpan<float> Middles => [-115.5f, -93.5f, -74, -57, -42, -28.5f, -16, -4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101];

    /// <summary>From one level to the next.</summary>
    private static ReadOnlySpan<float> Steps => [23, 21, 18, 16, 14, 13, 12, 11, 12, 12, 13, 15, 16, 20, 24];
}
