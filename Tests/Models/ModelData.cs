using System.Runtime.InteropServices;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Models and answers under Data.</summary>
internal static class ModelData
{
    /// <summary>The fastest backend whose answers need no device: "cpu" if there is one.</summary>
    public static string FastBackend => TestBackends.Names.Contains("cpu") ? "cpu" : TestBackends.Reference;

    public static string PathOf(params string[] parts) => Path.Combine([AppContext.BaseDirectory, "Data", .. parts]);

    public static float[] Floats(SafetensorsFile file, string name) => MemoryMarshal.Cast<byte, float>(file.Bytes(name)).ToArray();

    public static int[] Ints(SafetensorsFile file, string name) => file.Find(name)!.DType == "U8"
        ? Array.ConvertAll(file.Bytes(name).ToArray(), value => (int)value)
        : MemoryMarshal.Cast<byte, int>(file.Bytes(name)).ToArray();

    public static int ArgMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
            if (values[i] > values[best]) best = i;
        return best;
    }

    /// <summary>Largest distance of two rows; NaN counts as infinite.</summary>
    public static float Distance(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, found.Length);
        float largest = 0;
        for (int i = 0; i < found.Length; i++)
        {
            float distance = MathF.Abs(found[i] - expected[i]);
            largest = distance <= largest ? largest : float.IsNaN(distance) ? float.PositiveInfinity : distance;
        }
        return largest;
    }

    /// <summary>Largest magnitude.</summary>
    public static float Scale(ReadOnlySpan<float> values)
    {
        float largest = 0;
        foreach (float value in values) largest = MathF.Max(largest, MathF.Abs(value));
        return largest;
    }
}
