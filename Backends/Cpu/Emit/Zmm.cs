namespace MambaRT.Backends.Cpu;

/// <summary>A vector register, 0 to 31, of 512 bits or as much of it as the instruction is told.</summary>
internal readonly record struct Zmm(int Index);
