using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>How much each squared error counts; a type of its own where all count alike, so that loops without importance multiply by nothing.</summary>
internal interface IWeighting
{
    /// <summary>Levels times the weight of value <paramref name="k"/>.</summary>
    static abstract Vector256<float> Weigh(ReadOnlySpan<float> weights, int k, Vector256<float> levels);

    /// <summary>Levels times the weights of value <paramref name="k"/> of eight groups.</summary>
    static abstract Vector256<float> Weigh(ReadOnlySpan<Vector256<float>> weights, int k, Vector256<float> levels);

    /// <summary>The weight of value <paramref name="k"/>.</summary>
    static abstract float Of(ReadOnlySpan<float> weights, int k);
}

/// <summary>All values count alike; there are no weights.</summary>
internal readonly struct Alike : IWeighting
{
    public static Vector256<float> Weigh(ReadOnlySpan<float> weights, int k, Vector256<float> levels) => levels;

    public static Vector256<float> Weigh(ReadOnlySpan<Vector256<float>> weights, int k, Vector256<float> levels) => levels;

    public static float Of(ReadOnlySpan<float> weights, int k) => 1;
}

/// <summary>Each value has its weight.</summary>
internal readonly struct Weighted : IWeighting
{
    public static Vector256<float> Weigh(ReadOnlySpan<float> weights, int k, Vector256<float> levels) => Vector256.Create(weights[k]) * levels;

    public static Vector256<float> Weigh(ReadOnlySpan<Vector256<float>> weights, int k, Vector256<float> levels) => weights[k] * levels;

    public static float Of(ReadOnlySpan<float> weights, int k) => weights[k];
}
