using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>The levels that a stored number can stand for, before the scale.</summary>
internal interface ILevelGrid
{
    /// <summary>The lowest level.</summary>
    static abstract float Low { get; }

    /// <summary>The highest level.</summary>
    static abstract float High { get; }

    /// <summary>The level nearest to each value times <paramref name="inverse"/>.</summary>
    static abstract Vector256<float> Nearest(Vector256<float> values, Vector256<float> inverse);
}

/// <summary>−4 to 3: Q3_K.</summary>
internal readonly struct Signed3 : ILevelGrid
{
    public static float Low => -4;

    public static float High => 3;

    public static Vector256<float> Nearest(Vector256<float> values, Vector256<float> inverse) => ScaleSearch.Nearest(values, inverse, Low, High);
}

/// <summary>−8 to 7: Q4_0.</summary>
internal readonly struct Signed4 : ILevelGrid
{
    public static float Low => -8;

    public static float High => 7;

    public static Vector256<float> Nearest(Vector256<float> values, Vector256<float> inverse) => ScaleSearch.Nearest(values, inverse, Low, High);
}

/// <summary>−16 to 15: Q5_0.</summary>
internal readonly struct Signed5 : ILevelGrid
{
    public static float Low => -16;

    public static float High => 15;

    public static Vector256<float> Nearest(Vector256<float> values, Vector256<float> inverse) => ScaleSearch.Nearest(values, inverse, Low, High);
}

/// <summary>−32 to 31: Q6_K.</summary>
internal readonly struct Signed6 : ILevelGrid
{
    public static float Low => -32;

    public static float High => 31;

    public static Vector256<float> Nearest(Vector256<float> values, Vector256<float> inverse) => ScaleSearch.Nearest(values, inverse, Low, High);
}

/// <summary>The sixteen uneven levels of IQ4_NL and IQ4_XS.</summary>
internal readonly struct UnevenLevels : ILevelGrid
{
    public static float Low => -127;

    public static float High => 113;

    public static Vector256<float> Nearest(Vector256<float> values, Vector256<float> inverse)
    {
        Vector256<int> index = Index(values * inverse), within = index & Vector256.Create(7);
        return Vector256.ConditionalSelect(Vector256.GreaterThan(index, Vector256.Create(7)).AsSingle(),
            Vector256.ShuffleNative(Vector256.Create(1f, 13, 25, 38, 53, 69, 89, 113), within),
            Vector256.ShuffleNative(Vector256.Create(-127f, -104, -83, -65, -49, -35, -22, -10), within));
    }

    /// <summary>The numbers that are stored: which level is nearest to x / scale.</summary>
    /// <param name="x">The values, a multiple of eight.</param>
    /// <param name="scale">Their scale.</param>
    /// <param name="q">As many numbers, written.</param>
    public static void Quantize(ReadOnlySpan<float> x, float scale, Span<byte> q)
    {
        float inverse = scale == 0 ? 0 : 1 / scale;
        ReadOnlySpan<Vector256<float>> values = MemoryMarshal.Cast<float, Vector256<float>>(x);
        Span<ulong> packed = MemoryMarshal.Cast<byte, ulong>(q);
        for (int i = 0; i < values.Length; i++) packed[i] = ScaleSearch.Bytes(Index(values[i] * inverse));
    }

    /// <summary>How many of the fifteen middles lie below a value: a binary search whose rounds look their middles up by what the earlier ones found.</summary>
    private static Vector256<int> Index(Vector256<float> values)
    {
        Vector256<int> index = -Vector256.GreaterThan(values, Vector256.Create(-4.5f)).AsInt32();
        index = index + index - Vector256.GreaterThan(values, Vector256.ShuffleNative(Vector256.Create(-57, 45.5f, 0, 0, 0, 0, 0, 0), index)).AsInt32();
        index = index + index - Vector256.GreaterThan(values, Vector256.ShuffleNative(Vector256.Create(-93.5f, -28.5f, 19, 79, 0, 0, 0, 0), index)).AsInt32();
        return index + index - Vector256.GreaterThan(values, Vector256.ShuffleNative(Vector256.Create(-115.5f, -74, -42, -16, 7, 31.5f, 61, 101), index)).AsInt32();
    }
}
