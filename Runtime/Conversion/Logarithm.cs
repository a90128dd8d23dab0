namespace MambaRT.Conversion;

/// <summary>A as checkpoints keep it, A_log = log(−A), and as GGUF does, A = −exp(A_log).</summary>
internal static class Logarithm
{
    /// <summary>A = −exp(A_log), rounded once.</summary>
    public static float ToA(float logarithm) => (float)-Math.Exp(logarithm);

    /// <summary>
    /// The float32 nearest to log(−A) whose <see cref="ToA"/> is A again if there is one, so that a checkpoint made of a file gives the
    /// same file. Beyond 1 in magnitude, logarithms are spaced wider than A, so an A that no logarithm has may come out one unit off.
    /// </summary>
    /// <returns>Not a number unless A is below 0.</returns>
    public static float OfA(float a)
    {
        float nearest = (float)Math.Log(-(double)a);
        foreach (float candidate in (ReadOnlySpan<float>)[nearest, MathF.BitDecrement(nearest), MathF.BitIncrement(nearest)])
            if (ToA(candidate) == a) return candidate;
        return nearest;
    }
}
