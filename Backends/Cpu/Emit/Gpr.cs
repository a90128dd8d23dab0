namespace MambaRT.Backends.Cpu;

/// <summary>A 64-bit general register, by its number in machine code.</summary>
internal enum Gpr : byte
{
    Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15,

    /// <summary>Not a register but the constants behind the code; the offset is one in their table.</summary>
    Constants,
}
