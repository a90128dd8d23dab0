using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <summary>Whether this process can run emitted code: the processor, the system's register saving, and memory for code.</summary>
internal static unsafe class Avx512Support
{
    private static readonly bool Detected =
        OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64 && X86Base.IsSupported && HasInstructions() && SystemSavesRegisters();

    /// <summary>AVX-512 F, DQ, BW, VL and VNNI on x86-64 Linux, and permission to make code.</summary>
    /// <remarks>A constant on other architectures: an executable for them is compiled without what stands behind it.</remarks>
    public static bool IsAvailable => X86Base.IsSupported && Detected;

    private static bool HasInstructions()
    {
        if (X86Base.CpuId(0, 0).Eax < 7 || (X86Base.CpuId(1, 0).Ecx & 1 << 27) == 0) return false;   // bit 27: the system uses XSAVE, so xgetbv exists
        (_, int ebx, int ecx, _) = X86Base.CpuId(7, 0);
        const int F = 1 << 16, Dq = 1 << 17, Bw = 1 << 30, Vl = 1 << 31, Vnni = 1 << 11;
        return (ebx & (F | Dq | Bw | Vl)) == (F | Dq | Bw | Vl) && (ecx & Vnni) != 0;
    }

    /// <summary>Asks xgetbv for the states of SSE, AVX, masks, and both kinds of 512-bit registers.</summary>
    private static bool SystemSavesRegisters()
    {
        const uint Needed = 0xe6;
        // mov r8, rdi; xor ecx, ecx; xgetbv; mov [r8], eax; ret
        using ExecutableMemory? code = ExecutableMemory.TryCreate([0x49, 0x89, 0xf8, 0x31, 0xc9, 0x0f, 0x01, 0xd0, 0x41, 0x89, 0x00, 0xc3]);
        if (code == null) return false;
        uint states = 0;
        code.Entry(&states);
        return (states & Needed) == Needed;
    }
}
