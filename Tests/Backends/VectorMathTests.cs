using System.Runtime.Intrinsics;
using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The vector functions against float64 over the range that models use.</summary>
public sealed class VectorMathTests
{
    private const int Steps = 400_000;

    public static TheoryData<string> Names => ["decay2", "silu", "softplus"];

    [Fact]
    public void Function_OfNaN_IsNaN()
    {
        Vector256<float> nan = Vector256.Create(float.NaN, 1, 2, -3, 4, 5, 6, 7);
        foreach (Func<Vector256<float>, Vector256<float>> function in new[] { VectorMath.Exp2, VectorMath.Decay2, VectorMath.Silu, VectorMath.Softplus })
        {
            Vector256<float> result = function(nan);
            Assert.True(float.IsNaN(result[0]));
            Assert.True(float.IsFinite(result[3]));
        }
        Assert.True(float.IsNaN(VectorMath.Silu(float.NaN)) && float.IsNaN(VectorMath.Softplus(float.NaN)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Function_OverItsRange_IsNearTheResult(string name)
    {
        (float from, float to) = name == "decay2" ? (-125, 0) : (-80f, 80f);
        double worst = 0;
        float at = 0;
        for (int i = 0; i < Steps; i++)
        {
            float x = from + (to - from) * i / Steps;
            Vector256<float> v = Vector256.Create(x);
            (double expected, float got) = name switch
            {
                "decay2" => (Math.Pow(2, x), VectorMath.Decay2(v)[3]),
                "silu" => (x / (1 + Math.Exp(-(double)x)), VectorMath.Silu(v)[3]),
                _ => (x > 20 ? x : x < -15 ? Math.Exp(x) * (1 - Math.Exp(x) / 2) : Math.Log(1 + Math.Exp(x)), VectorMath.Softplus(v)[3]),
            };
            double error = expected == got ? 0 : Math.Abs(got - expected) / Math.Abs(expected);
            if (error <= worst) continue;
            worst = error;
            at = x;
        }
        // Outside ±40 the argument's own rounding, times its size, is what is left of a float's digits.
        double bound = name == "decay2" ? 2e-7 : 6e-6;
        Assert.True(worst <= bound, $"{name}({at:g9}) is off by {worst:g3} of the result; {bound:g3} is allowed.");
    }
}
