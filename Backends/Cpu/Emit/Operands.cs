namespace MambaRT.Backends.Cpu;

/// <summary>A 64-bit general register, by its number in machine code.</summary>
internal enum Gpr : byte
{
    Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15,

    /// <summary>Not a register but the constants behind the code; the offset is one in their table.</summary>
    Constants,
}

/// <summary>A mask register; k0 means no mask.</summary>
internal readonly record struct Mask(int Index)
{
    public static Mask None => default;

    /// <summary>The bits of the first <paramref name="count"/> of sixteen lanes; none for 0 or less.</summary>
    public static long OfLanes(int count) => count <= 0 ? 0 : (1L << Math.Min(count, 16)) - 1;
}

/// <summary>A vector register, 0 to 31, of 512 bits or as much of it as the instruction is told.</summary>
internal readonly record struct Zmm(int Index);

/// <summary>Memory at base + index·scale + offset, read whole or as one int or float that fills all lanes.</summary>
internal readonly record struct Mem(Gpr Base, int Offset = 0, Gpr? Index = null, int Scale = 1, bool Broadcast = false)
{
    /// <summary>The 32 bits at this address in every lane.</summary>
    public Mem ToAllLanes => this with { Broadcast = true };

    public Mem Plus(int bytes) => this with { Offset = Offset + bytes };
}

/// <summary>The last operand of most vector instructions: a register or memory.</summary>
internal readonly record struct Operand(bool IsMemory, Zmm Register, Mem Memory)
{
    public static implicit operator Operand(Zmm register) => new(false, register, default);

    public static implicit operator Operand(Mem memory) => new(true, default, memory);
}
