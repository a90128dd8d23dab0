namespace MambaRT.Backends.Cpu;

/// <summary>Which instructions the kernels of the CPU backend may use. What a machine lacks is never used, whatever is chosen.</summary>
public enum CpuIsa
{
    /// <summary>The best that the machine has.</summary>
    Auto,

    /// <summary>No emitted AVX-512 code; the 256-bit form of VNNI where the machine has it.</summary>
    AvxVnni,

    /// <summary>Neither kind of VNNI: AVX2 on x86-64, the plain vector code elsewhere.</summary>
    Avx2,
}
