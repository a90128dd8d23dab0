using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cpu;

/// <summary>Bytes of x86-64 machine code: how instructions, operands and jumps are encoded. <see cref="Assembler"/> names the instructions.</summary>
/// <remarks>Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, sections 2.2 (REX), 2.3 (VEX) and 2.7 (EVEX).</remarks>
internal class MachineCode
{
    private const int ConstantAlignment = 64;

    private readonly List<byte> _bytes = new(1024), _constants = [];
    private readonly List<(int At, int AfterIt, int Constant)> _references = [];

    /// <summary>Bytes written so far: also the address of the next instruction, as a target for <see cref="JumpBackIfNotZero"/>.</summary>
    public int Position => _bytes.Count;

    /// <summary>The code and behind it its constants, at whole cache lines from the beginning.</summary>
    public byte[] ToArray()
    {
        int table = (_bytes.Count + ConstantAlignment - 1) / ConstantAlignment * ConstantAlignment;
        byte[] all = new byte[table + _constants.Count];
        _bytes.CopyTo(all);
        _constants.CopyTo(all, table);
        foreach ((int at, int afterIt, int constant) in _references)
            BinaryPrimitives.WriteInt32LittleEndian(all.AsSpan(at), table + constant - afterIt);
        return all;
    }

    /// <summary>A float in every lane.</summary>
    public Mem Constant(float value) => Constant(BitConverter.SingleToInt32Bits(value));

    /// <summary>An int in every lane.</summary>
    public Mem Constant(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return new Mem(Gpr.Constants, Add(bytes, 4), Broadcast: true);
    }

    /// <summary>Up to sixteen ints, lane by lane.</summary>
    public Mem Lanes(params ReadOnlySpan<int> values)
    {
        Span<byte> bytes = stackalloc byte[4 * values.Length];
        for (int i = 0; i < values.Length; i++) BinaryPrimitives.WriteInt32LittleEndian(bytes[(4 * i)..], values[i]);
        return new Mem(Gpr.Constants, Add(bytes, ConstantAlignment));
    }

    /// <summary>An opcode of the EVEX maps.</summary>
    /// <param name="Map">1 = 0F, 2 = 0F38, 3 = 0F3A.</param>
    /// <param name="Prefix">0 = none, 1 = 66, 2 = F3, 3 = F2.</param>
    /// <param name="Wide">EVEX.W.</param>
    /// <param name="Byte">The opcode byte.</param>
    protected readonly record struct Opcode(int Map, int Prefix, bool Wide, byte Byte);

    /// <summary>A vector instruction.</summary>
    /// <param name="code">Its opcode.</param>
    /// <param name="reg">What the reg field names: as a rule the destination; an opcode extension for shifts by a constant.</param>
    /// <param name="second">What the vvvv field names; 0 where the instruction has none.</param>
    /// <param name="last">Register or memory.</param>
    /// <param name="bits">128, 256 or 512.</param>
    /// <param name="mask">Lanes that are written; the others keep their value, or become zero with <paramref name="zeroing"/>.</param>
    /// <param name="zeroing">Whether masked lanes become zero.</param>
    /// <param name="unit">Bytes that the memory operand reads, by which small offsets are counted; 0 = <paramref name="bits"/> / 8.</param>
    /// <param name="immediate">A constant byte at the end.</param>
    protected void Vector(Opcode code, int reg, int second, in Operand last, int bits = 512, Mask mask = default, bool zeroing = false, int unit = 0, int? immediate = null)
    {
        bool broadcast = last is { IsMemory: true, Memory.Broadcast: true };
        int rm = last.IsMemory ? (int)last.Memory.Base : last.Register.Index;
        int index = last.IsMemory ? (int)(last.Memory.Index ?? 0) : last.Register.Index >> 1;   // a register's bit 4 goes where an index's bit 3 goes
        _bytes.Add(0x62);
        _bytes.Add((byte)(Not(reg, 3) << 7 | Not(index, 3) << 6 | Not(rm, 3) << 5 | Not(reg, 4) << 4 | code.Map));
        _bytes.Add((byte)((code.Wide ? 0x80 : 0) | (~second & 15) << 3 | 4 | code.Prefix));
        _bytes.Add((byte)((zeroing ? 0x80 : 0) | (bits == 512 ? 2 : bits / 256) << 5 | (broadcast ? 0x10 : 0) | Not(second, 4) << 3 | mask.Index));
        _bytes.Add(code.Byte);
        if (last.IsMemory) Address(reg, last.Memory, broadcast ? 4 : unit == 0 ? bits / 8 : unit, immediate == null ? 0 : 1);
        else _bytes.Add((byte)(0xc0 | (reg & 7) << 3 | rm & 7));
        if (immediate is int constant) _bytes.Add((byte)constant);
    }

    /// <summary>A general instruction with a 64-bit register and a register.</summary>
    protected void General(byte opcode, int reg, Gpr rm)
    {
        _bytes.Add((byte)(0x48 | reg >> 3 << 2 | (int)rm >> 3));
        _bytes.Add(opcode);
        _bytes.Add((byte)(0xc0 | (reg & 7) << 3 | (int)rm & 7));
    }

    /// <summary>A general instruction with a 64-bit register and memory.</summary>
    protected void General(byte opcode, int reg, in Mem memory)
    {
        _bytes.Add((byte)(0x48 | reg >> 3 << 2 | (int)(memory.Index ?? 0) >> 3 << 1 | (int)memory.Base >> 3));
        _bytes.Add(opcode);
        Address(reg, memory, 1);
    }

    protected void Raw(params ReadOnlySpan<byte> bytes) => _bytes.AddRange(bytes);

    protected void Raw32(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        _bytes.AddRange(bytes);
    }

    /// <summary>ModRM, SIB and offset. A small offset that is a multiple of <paramref name="unit"/> takes one byte.</summary>
    protected void Address(int reg, in Mem memory, int unit, int bytesAfterIt = 0)
    {
        if (memory.Base == Gpr.Constants)
        {
            _bytes.Add((byte)((reg & 7) << 3 | 5));
            _references.Add((Position, Position + 4 + bytesAfterIt, memory.Offset));
            Raw32(0);
            return;
        }
        int low = (int)memory.Base & 7;
        bool small = memory.Offset % unit == 0 && memory.Offset / unit is >= sbyte.MinValue and <= sbyte.MaxValue;
        // Base rbp or r13 without an offset has another meaning, so it always gets one; base rsp or r12 needs the second byte.
        int mode = memory.Offset == 0 && low != 5 ? 0 : small ? 1 : 2;
        bool sib = memory.Index != null || low == 4;
        _bytes.Add((byte)(mode << 6 | (reg & 7) << 3 | (sib ? 4 : low)));
        if (sib)
        {
            Debug.Assert(memory.Index != Gpr.Rsp, "rsp cannot be an index");
            int scale = memory.Scale switch { 1 => 0, 2 => 1, 4 => 2, _ => 3 };
            _bytes.Add((byte)(scale << 6 | (memory.Index is Gpr index ? (int)index & 7 : 4) << 3 | low));
        }
        if (mode == 1) _bytes.Add((byte)(memory.Offset / unit));
        else if (mode == 2) Raw32(memory.Offset);
    }

    /// <summary>Jumps back to a position while the last result was not zero.</summary>
    public void JumpBackIfNotZero(int target)
    {
        Raw(0x0f, 0x85);
        Raw32(target - (Position + 4));
    }

    /// <summary>Where a constant stands in the table; equal ones stand there once.</summary>
    private int Add(ReadOnlySpan<byte> bytes, int alignment)
    {
        Span<byte> table = CollectionsMarshal.AsSpan(_constants);
        for (int at = 0; at + bytes.Length <= table.Length; at += alignment)
            if (table.Slice(at, bytes.Length).SequenceEqual(bytes)) return at;
        while (_constants.Count % alignment != 0) _constants.Add(0);
        _constants.AddRange(bytes);
        return _constants.Count - bytes.Length;
    }

    private static int Not(int value, int bit) => ~(value >> bit) & 1;
}
