namespace MambaRT.Backends.Cpu;

/// <summary>Which instructions the kernels of the CPU backend may use. <see cref="CpuBackend.WhyNot(CpuIsa)"/> says what a machine lacks.</summary>
public enum CpuIsa
{
    /// <summary>The best that the machine has.</summary>
    Auto,

    /// <summary>No emitted AVX-512 code, but the 256-bit form of VNNI.</summary>
    AvxVnni,

    /// <summary>AVX2, and neither kind of VNNI.</summary>
    Avx2,
}
