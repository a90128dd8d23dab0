namespace MambaRT.Backends.Cpu;

/// <summary>The last operand of most vector instructions: a register or memory.</summary>
internal readonly record struct Operand(bool IsMemory, Zmm Register, Mem Memory)
{
    public static implicit operator Operand(Zmm register) => new(false, register, default);

    public static implicit operator Operand(Mem memory) => new(true, default, memory);
}
