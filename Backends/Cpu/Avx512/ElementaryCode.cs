namespace MambaRT.Backends.Cpu;

/// <summary>Elementary functions on sixteen lanes, written into a kernel: the 512-bit twins of <see cref="VectorMath"/>.</summary>
internal static class ElementaryCode
{
    public const float Log2E = 1.44269504088896341f;

    /// <summary>
    /// 2^r − 1 = r·(c1 + r·(c2 + … r·c5)) for r in [0, 1): minimax in the relative error of 2^r (9e-8) among those that are exact at both ends, so that
    /// the error of a decay near 1 is a share of its distance from 1 and does not add up over many steps.
    /// </summary>
    public static readonly float[] Exp2 = [0.69315173882983649f, 0.24015927146454896f, 0.055818675961552863f, 0.0089909950953750602f, 0.0018793186486866355f];

    /// <summary>log(1 + e) = e·(c0 + e·(c1 + … e·c7)) for e in [0, 1]: minimax in the relative error, 2e-7.</summary>
    private static readonly float[] Log1P =
    [
        0.99999980566695335f, -0.49997405395792044f, 0.33275479773005384f, -0.24495462834225817f,
        0.17745241490673042f, -0.10768171378230075f, 0.044089632353740527f, -0.0085392087164567355f,
    ];

    /// <summary>to = e^−|x|. Uses <paramref name="r"/> and <paramref name="t"/>.</summary>
    public static void ExpOfMinusAbs(Assembler a, Zmm to, Zmm x, Zmm t, Zmm r)
    {
        a.Vpandd(t, x, a.Constant(0x7fffffff));
        a.Vmulps(t, t, a.Constant(-Log2E));
        a.VreducepsFloor(r, t);
        Polynomial(a, to, r, Exp2);
        a.Vfmadd213ps(to, r, a.Constant(1f));
        a.Vscalefps(to, to, t);
    }

    /// <summary>to = log(1 + e^x) = max(x, 0) + log1p(e^−|x|). Uses e, t and r.</summary>
    public static void Softplus(Assembler a, Zmm to, Zmm x, Zmm e, Zmm t, Zmm r)
    {
        ExpOfMinusAbs(a, e, x, t, r);
        Polynomial(a, t, e, Log1P);
        a.Vpxord(r, r, r);
        a.Vmaxps(to, x, r);
        a.Vfmadd231ps(to, t, e);
    }

    /// <summary>to = 1 / (1 + e^−x). Uses e, t and a mask.</summary>
    /// <remarks>It is 1 / (1 + e) or e / (1 + e) with e = e^−|x| in (0, 1], whose reciprocal takes one Newton step.</remarks>
    public static void Sigmoid(Assembler a, Zmm to, Zmm x, Zmm e, Zmm t, Mask negative)
    {
        ExpOfMinusAbs(a, e, x, t, to);
        a.Vaddps(t, e, a.Constant(1f));
        a.Vrcp14ps(to, t);
        a.Vfnmadd213ps(t, to, a.Constant(2f));   // 2 − (1 + e)·r
        a.Vmulps(to, to, t);
        a.Vpxord(t, t, t);
        a.VcmppsLess(negative, x, t);
        a.Vmulps(t, to, e);
        a.Vblendmps(to, negative, to, t);
    }

    /// <summary>to = c0 + x·(c1 + x·(c2 + …)).</summary>
    private static void Polynomial(Assembler a, Zmm to, Zmm x, ReadOnlySpan<float> coefficients)
    {
        a.Vbroadcastss(to, a.Constant(coefficients[^1]));
        for (int i = coefficients.Length - 2; i >= 0; i--) a.Vfmadd213ps(to, x, a.Constant(coefficients[i]));
    }
}
