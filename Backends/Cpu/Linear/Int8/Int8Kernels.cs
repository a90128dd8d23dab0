using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>The quantized types that run on integer dot products.</summary>
internal static class Int8Kernels
{
    /// <summary>The kernel of a type, or null when it has none.</summary>
    /// <param name="weights">The matrix.</param>
    /// <param name="isa">The instructions it may use.</param>
    /// <param name="code">Where emitted code is kept; null = none may be emitted.</param>
    public static WeightKernel? TryCreate(TensorView weights, CpuIsa isa, CodeCache? code = null)
    {
        WeightKernel? plain = Plain(weights, isa);
        return !Avx512Support.IsAvailable || code == null || plain == null ? plain : Emitted(weights, code, plain);
    }

    private static WeightKernel? Plain(TensorView weights, CpuIsa isa) =>
        isa != CpuIsa.Avx2 && AvxVnni.IsSupported ? Create<VnniDot>(weights)
        : Avx2.IsSupported ? Create<Avx2Dot>(weights)
        : Dp.IsSupported ? Create<ArmDot>(weights)
        : Create<PortableDot>(weights);

    /// <summary>The kernel of a type on AVX-512 VNNI; the plain one where it has none.</summary>
    private static WeightKernel Emitted(TensorView weights, CodeCache code, WeightKernel plain) => weights.Type.Name switch
    {
        "Q8_0" => new Vnni512Kernel<Q8_0Int8>(weights, code, plain),
        "Q4_0" => new Vnni512Kernel<Q4_0Int8>(weights, code, plain),
        "Q4_1" => new Vnni512Kernel<Q4_1Int8>(weights, code, plain),
        "Q5_0" => new Vnni512Kernel<Q5_0Int8>(weights, code, plain),
        "Q5_1" => new Vnni512Kernel<Q5_1Int8>(weights, code, plain),
        "Q2_K" => new Vnni512Kernel<Q2_KInt8>(weights, code, plain),
        "Q3_K" => new Vnni512Kernel<Q3_KInt8>(weights, code, plain),
        "Q4_K" => new Vnni512Kernel<Q4_KInt8>(weights, code, plain),
        "Q5_K" => new Vnni512Kernel<Q5_KInt8>(weights, code, plain),
        "Q6_K" => new Vnni512Kernel<Q6_KInt8>(weights, code, plain),
        "IQ4_NL" => new Vnni512Kernel<IQ4_NLInt8>(weights, code, plain),
        "IQ4_XS" => new Vnni512Kernel<IQ4_XSInt8>(weights, code, plain),
        _ => Staging.For(weights.Type) is Staging staging ? new Vnni512Kernel<StagedInt8>(weights, code, plain, staging) : plain,
    };

    /// <summary>The kernel of a type on one kind of dot product.</summary>
    internal static WeightKernel? Create<TDot>(TensorView weights) where TDot : struct, IInt8Dot => weights.Type.Name switch
    {
        "Q8_0" => new Int8Kernel<Q8_0Int8, TDot>(weights),
        "Q4_0" => new Int8Kernel<Q4_0Int8, TDot>(weights),
        "Q4_1" => new Int8Kernel<Q4_1Int8, TDot>(weights),
        "Q5_0" => new Int8Kernel<Q5_0Int8, TDot>(weights),
        "Q5_1" => new Int8Kernel<Q5_1Int8, TDot>(weights),
        "Q2_K" => new Int8Kernel<Q2_KInt8, TDot>(weights),
        "Q3_K" => new Int8Kernel<Q3_KInt8, TDot>(weights),
        "Q4_K" => new Int8Kernel<Q4_KInt8, TDot>(weights),
        "Q5_K" => new Int8Kernel<Q5_KInt8, TDot>(weights),
        "Q6_K" => new Int8Kernel<Q6_KInt8, TDot>(weights),
        "IQ4_NL" => new Int8Kernel<IQ4_NLInt8, TDot>(weights),
        "IQ4_XS" => new Int8Kernel<IQ4_XSInt8, TDot>(weights),
        _ => Staging.For(weights.Type) is Staging staging ? new Int8Kernel<StagedInt8, TDot>(weights, staging) : null,
    };
}
