using System.Runtime.Intrinsics;
using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The vector functions against float64 over the range that models use.</summary>
public sealed class VectorMathTests
{
    private const int Steps = 400_000;

    /// <summary>The smallest normal float: below it nothing is promised but nearness to 0.</summary>
    private const float Smallest = 1.17549435e-38f;

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

    [Fact]
    public void Function_OfHugeNumbers_IsItsLimit()
    {
        foreach (float huge in (float[])[129, 1e3f, 1e9f, 1e30f, 3e38f, float.PositiveInfinity])
        {
            Vector256<float> up = Vector256.Create(huge), down = Vector256.Create(-huge);
            Assert.Equal(Vector256.Create(float.PositiveInfinity), VectorMath.Exp2(up));
            Assert.Equal(Vector256<float>.Zero, VectorMath.Exp2(down));
            Assert.Equal(Vector256<float>.Zero, VectorMath.Decay2(down));
            Assert.Equal(up, VectorMath.Silu(up));
            Assert.Equal(up, VectorMath.Softplus(up));
            Assert.Equal((huge, huge), (VectorMath.Silu(huge), VectorMath.Softplus(huge)));
            Assert.InRange(VectorMath.Softplus(down)[0], 0, Smallest);
            Assert.InRange(VectorMath.Softplus(-huge), 0, Smallest);
            if (float.IsFinite(huge)) Assert.InRange(VectorMath.Silu(down)[0], -Smallest, 0);
            else Assert.True(float.IsNaN(VectorMath.Silu(down)[0]) && float.IsNaN(VectorMath.Silu(-huge)));   // -inf times 0, as in the reference
        }
    }

    [Fact]
    public void Exp2_TowardsItsLimits_IsNearTheResult()
    {
        for (float x = -126; x < 128; x += 1 / 64f) AssertExp2(x);
        AssertExp2(MathF.BitDecrement(128));
        for (float x = -127; x < -126; x += 1 / 64f) Assert.InRange(VectorMath.Exp2(Vector256.Create(x))[0], 0, Smallest);
        Assert.Equal((float.PositiveInfinity, 0), (VectorMath.Exp2(Vector256.Create(128f))[0], VectorMath.Exp2(Vector256.Create(-127f))[0]));

        static void AssertExp2(float x)
        {
            double expected = Math.Pow(2, x);
            Assert.InRange(VectorMath.Exp2(Vector256.Create(x))[0], expected * (1 - 1e-6), expected * (1 + 1e-6));
        }
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
