namespace MambaRT.Sampling;

/// <summary>The checks that the samplers' numbers share, each refused in words.</summary>
internal static class SamplingChecks
{
    public static void Finite(float value, string name)
    {
        if (!float.IsFinite(value)) throw new ArgumentException($"{name} must be a finite number; found {value}.", name);
    }

    public static void NotNegative(float value, string name)
    {
        if (!float.IsFinite(value) || value < 0)
            throw new ArgumentException($"{name} must be a finite number of 0 or more; found {value}.", name);
    }

    public static void Probability(float value, string name)
    {
        if (!(value >= 0 && value <= 1)) throw new ArgumentException($"{name} must lie between 0 and 1; found {value}.", name);
    }

    public static void MinKeep(int value)
    {
        if (value < 1) throw new ArgumentException($"minKeep must be 1 or more, so that a token remains; found {value}.", "minKeep");
    }
}
