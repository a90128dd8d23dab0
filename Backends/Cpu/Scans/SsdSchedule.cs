using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// The decays of one head over some tokens, cut into segments within which the product P of the decays stays in [<see cref="SmallestProduct"/>, 1 / <see cref="SmallestProduct"/>]: what
/// <see cref="SsdScanCode"/> carries in place of multiplying every state by every decay.
/// </summary>
/// <remarks>A view of scratch for <see cref="Tokens"/> tokens; one member uses it at a time.</remarks>
internal readonly unsafe struct SsdSchedule(byte* scratch)
{
    /// <summary>Tokens of a pass: what lies between passes then takes 16 KiB of the first-level cache.</summary>
    public const int Tokens = 64;

    /// <summary>Scratch of a schedule.</summary>
    public const int Bytes = Tokens * (sizeof(long) + 4 * sizeof(float)) + 64;

    /// <summary>Far from the smallest float, so that 1 / P and what it multiplies stay in range; P grows where A is above zero, which a file may say.</summary>
    public const float SmallestProduct = 1e-9f;

    /// <summary>Tokens of each segment.</summary>
    public readonly long* Counts = (long*)scratch;

    /// <summary>Δ / P of each token.</summary>
    public readonly float* InScales = (float*)(scratch + Tokens * sizeof(long));

    /// <summary>D / P of each token.</summary>
    public readonly float* SkipScales = (float*)(scratch + Tokens * (sizeof(long) + 3 * sizeof(float)));

    /// <summary>P of each token: 1 at the first of a segment.</summary>
    public readonly float* OutScales = (float*)(scratch + Tokens * (sizeof(long) + sizeof(float)));

    /// <summary>What the states are multiplied by before each segment: the last segment's P times the decay of the segment's first token.</summary>
    public readonly float* Factors = (float*)(scratch + Tokens * (sizeof(long) + 2 * sizeof(float)));

    /// <summary>P of the last token.</summary>
    public readonly float* LastFactor = (float*)(scratch + Tokens * (sizeof(long) + 4 * sizeof(float)));

    /// <summary>Computes the schedule of <paramref name="count"/> tokens (at most <see cref="Tokens"/>) and returns its number of segments.</summary>
    /// <param name="dt">dt of the head at the first token.</param>
    /// <param name="stride">Floats from one token's dt to the next.</param>
    /// <param name="count">Tokens.</param>
    /// <param name="bias">Bias of dt.</param>
    /// <param name="A">The head's A.</param>
    /// <param name="D">The head's D.</param>
    public int Fill(float* dt, int stride, int count, float bias, float A, float D)
    {
        // Whole vectors are computed past the last token; the scratch has room, and nothing reads them. They start from zeros, as numbers out of the normal range
        // would take the processor many times as long.
        for (int t = 0; t < count; t++) InScales[t] = dt[(long)t * stride] + bias;
        for (int t = count; t % 8 != 0; t++) InScales[t] = 0;
        for (int t = 0; t < count; t += 8)
        {
            Vector256<float> delta = VectorMath.Softplus(Vector256.Load(InScales + t));
            delta.Store(InScales + t);
            VectorMath.Exp2(delta * Vector256.Create((float)(A * Math.Log2(Math.E)))).Store(OutScales + t);
        }
        int segments = 0, begin = 0;
        float product = 1;
        (Factors[0], OutScales[0]) = (OutScales[0], 1);
        for (int t = 1; t < count; t++)
        {
            float next = product * OutScales[t];
            if (next is < SmallestProduct or > 1 / SmallestProduct)
            {
                Counts[segments++] = t - begin;
                Factors[segments] = next;
                (begin, next) = (t, 1);
            }
            OutScales[t] = product = next;
        }
        Counts[segments++] = count - begin;
        for (int t = 0; t < count; t += 8)
        {
            Vector256<float> products = Vector256.Load(OutScales + t);
            (Vector256.Load(InScales + t) / products).Store(InScales + t);
            (Vector256.Create(D) / products).Store(SkipScales + t);
        }
        *LastFactor = product;
        return segments;
    }
}
