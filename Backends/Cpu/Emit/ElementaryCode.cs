namespace MambaRT.Backends.Cpu;

/// <summary>Elementary functions on sixteen lanes of one or more vectors, written into a kernel: the 512-bit twins of <see cref="VectorMath"/>.</summary>
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

    /// <summary>E = e^−|X|, with To and T besides.</summary>
    private static void ExpOfMinusAbs(Assembler a, ElementaryRegisters[] all)
    {
        foreach (ElementaryRegisters v in all) a.Vpandd(v.T, v.X, a.Constant(0x7fffffff));
        foreach (ElementaryRegisters v in all) a.Vmulps(v.T, v.T, a.Constant(-Log2E));
        foreach (ElementaryRegisters v in all) a.VreducepsFloor(v.To, v.T);
        Polynomial(a, all, v => v.E, v => v.To, Exp2);
        foreach (ElementaryRegisters v in all) a.Vfmadd213ps(v.E, v.To, a.Constant(1f));
        foreach (ElementaryRegisters v in all) a.Vscalefps(v.E, v.E, v.T);
    }

    /// <summary>To = log(1 + e^X) = max(X, 0) + log1p(e^−|X|).</summary>
    public static void Softplus(Assembler a, params ElementaryRegisters[] all)
    {
        ExpOfMinusAbs(a, all);
        Polynomial(a, all, v => v.T, v => v.E, Log1P);
        foreach (ElementaryRegisters v in all) a.Vpxord(v.To, v.To, v.To);
        foreach (ElementaryRegisters v in all) a.Vmaxps(v.To, v.To, v.X);
        foreach (ElementaryRegisters v in all) a.Vfmadd231ps(v.To, v.T, v.E);
    }

    /// <summary>To = 1 / (1 + e^−X).</summary>
    /// <remarks>It is 1 / (1 + e) or e / (1 + e) with e = e^−|X| in (0, 1], whose reciprocal takes one Newton step.</remarks>
    public static void Sigmoid(Assembler a, params ElementaryRegisters[] all)
    {
        ExpOfMinusAbs(a, all);
        foreach (ElementaryRegisters v in all) a.Vaddps(v.T, v.E, a.Constant(1f));
        foreach (ElementaryRegisters v in all) a.Vrcp14ps(v.To, v.T);
        foreach (ElementaryRegisters v in all) a.Vfnmadd213ps(v.T, v.To, a.Constant(2f));   // 2 − (1 + e)·r
        foreach (ElementaryRegisters v in all) a.Vmulps(v.To, v.To, v.T);
        foreach (ElementaryRegisters v in all) a.Vpxord(v.T, v.T, v.T);
        foreach (ElementaryRegisters v in all) a.VcmppsLess(v.Negative, v.X, v.T);
        foreach (ElementaryRegisters v in all) a.Vmulps(v.T, v.To, v.E);
        foreach (ElementaryRegisters v in all) a.Vblendmps(v.To, v.Negative, v.To, v.T);
    }

    /// <summary>to = c0 + x·(c1 + x·(c2 + …)).</summary>
    private static void Polynomial(Assembler a, ElementaryRegisters[] all, Func<ElementaryRegisters, Zmm> to, Func<ElementaryRegisters, Zmm> x, float[] coefficients)
    {
        foreach (ElementaryRegisters v in all) a.Vbroadcastss(to(v), a.Constant(coefficients[^1]));
        for (int i = coefficients.Length - 2; i >= 0; i--)
            foreach (ElementaryRegisters v in all) a.Vfmadd213ps(to(v), x(v), a.Constant(coefficients[i]));
    }
}
