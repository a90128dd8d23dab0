namespace MambaRT.Backends.Cpu;

/// <summary>The x86-64 and AVX-512 instructions that emitted code consists of, by their usual names.</summary>
/// <remarks>
/// .NET has no AVX-512 VNNI and no run-time choice of AVX-512 in an executable built for AVX2, so these few kernels are written as machine code when a model
/// is loaded. Operands stand in Intel's order, destination first.
/// </remarks>
internal sealed class Assembler : MachineCode
{
    public void Mov(Gpr to, in Mem from) => General(0x8b, (int)to, from);

    public void Mov(Gpr to, Gpr from) => General(0x89, (int)from, to);

    public void MovStore(in Mem to, Gpr from) => General(0x89, (int)from, to);

    public void Lea(Gpr to, in Mem address) => General(0x8d, (int)to, address);

    public void Add(Gpr to, in Mem from) => General(0x03, (int)to, from);

    public void Add(Gpr to, Gpr from) => General(0x01, (int)from, to);

    public void Add(Gpr to, int constant)
    {
        General(0x81, 0, to);
        Raw32(constant);
    }

    /// <summary>Subtracts a constant; the zero flag tells <see cref="MachineCode.JumpBackIfNotZero"/>.</summary>
    public void Sub(Gpr to, int constant)
    {
        General(0x81, 5, to);
        Raw32(constant);
    }

    public void And(Gpr to, int constant)
    {
        General(0x81, 4, to);
        Raw32(constant);
    }

    /// <summary>Multiplies by a power of two.</summary>
    public void Shl(Gpr to, int factor)
    {
        General(0xc1, 4, to);
        Raw((byte)System.Numerics.BitOperations.Log2((uint)factor));
    }

    public void MovImmediate(Gpr to, int constant)
    {
        General(0xc7, 0, to);
        Raw32(constant);
    }

    public void Push(Gpr register)
    {
        if (register >= Gpr.R8) Raw(0x41);
        Raw((byte)(0x50 | (int)register & 7));
    }

    public void Pop(Gpr register)
    {
        if (register >= Gpr.R8) Raw(0x41);
        Raw((byte)(0x58 | (int)register & 7));
    }

    /// <summary>Asks for a line of memory, for the first-level cache.</summary>
    public void PrefetchT0(in Mem memory) => Prefetch(memory, 1);

    /// <summary>Asks for a line of memory, for the second-level cache.</summary>
    public void PrefetchT1(in Mem memory) => Prefetch(memory, 2);

    /// <summary>Asks for a line of memory that will be written, for the first-level cache.</summary>
    public void PrefetchW(in Mem memory) => Prefetch(memory, 1, 0x0d);

    private void Prefetch(in Mem memory, int hint, byte opcode = 0x18)
    {
        int rex = (int)(memory.Index ?? 0) >> 3 << 1 | (int)memory.Base >> 3;
        if (rex != 0) Raw((byte)(0x40 | rex));
        Raw(0x0f, opcode);
        Address(hint, memory, 1);
    }

    /// <summary>Clears the upper halves of the registers, so that other code does not pay for them, and returns.</summary>
    public void Return() => Raw(0xc5, 0xf8, 0x77, 0xc3);

    public void Vmovups(Zmm to, Operand from, int bits = 512, Mask mask = default) => Vector(new(1, 0, false, 0x10), to.Index, 0, from, bits, mask, zeroing: mask.Index != 0);

    public void VmovupsStore(in Mem to, Zmm from, int bits = 512, Mask mask = default) => Vector(new(1, 0, false, 0x11), from.Index, 0, to, bits, mask);

    public void Vmovdqu32(Zmm to, Operand from, int bits = 512) => Vector(new(1, 2, false, 0x6f), to.Index, 0, from, bits);

    public void Vbroadcastss(Zmm to, Zmm lowest) => Vector(new(2, 1, false, 0x18), to.Index, 0, lowest);

    public void Vbroadcastss(Zmm to, in Mem value) => Vector(new(2, 1, false, 0x18), to.Index, 0, value with { Broadcast = false }, unit: 4);

    public void Vpbroadcastd(Zmm to, in Mem value, int bits = 512, Mask mask = default) => Vector(new(2, 1, false, 0x58), to.Index, 0, value with { Broadcast = false }, bits, mask, unit: 4);

    /// <summary>The 128 bits at an address in every quarter.</summary>
    public void Vbroadcasti32x4(Zmm to, in Mem from, Mask mask = default) => Vector(new(2, 1, false, 0x5a), to.Index, 0, from, 512, mask, unit: 16);

    /// <summary>The 256 bits at an address in both halves.</summary>
    public void Vbroadcasti64x4(Zmm to, in Mem from) => Vector(new(2, 1, true, 0x5b), to.Index, 0, from, unit: 32);

    /// <summary>Replaces one half.</summary>
    public void Vinserti64x4(Zmm to, Zmm from, Operand half, int which) => Vector(new(3, 1, true, 0x3a), to.Index, from.Index, half, unit: 32, immediate: which);

    /// <summary>Replaces one quarter.</summary>
    public void Vinserti32x4(Zmm to, Zmm from, Operand quarter, int which, int bits) => Vector(new(3, 1, false, 0x38), to.Index, from.Index, quarter, bits, unit: 16, immediate: which);

    /// <summary>Stores or moves one half.</summary>
    public void Vextractf64x4(Zmm to, Zmm from, int which) => Vector(new(3, 1, true, 0x1b), from.Index, 0, to, immediate: which);

    public void Vextractf32x4(Zmm to, Zmm from, int which, int bits = 512) => Vector(new(3, 1, false, 0x19), from.Index, 0, to, bits, immediate: which);

    public void Vaddps(Zmm to, Zmm a, Operand b, int bits = 512, Mask mask = default) => Vector(new(1, 0, false, 0x58), to.Index, a.Index, b, bits, mask);

    public void Vmulps(Zmm to, Zmm a, Operand b, int bits = 512) => Vector(new(1, 0, false, 0x59), to.Index, a.Index, b, bits);

    /// <summary>The larger; <paramref name="b"/> where either is NaN.</summary>
    public void Vmaxps(Zmm to, Zmm a, Operand b) => Vector(new(1, 0, false, 0x5f), to.Index, a.Index, b);

    /// <summary>The larger of signed ints.</summary>
    public void Vpmaxsd(Zmm to, Zmm a, Operand b, int bits = 512) => Vector(new(2, 1, false, 0x3d), to.Index, a.Index, b, bits);

    public void Vdivps(Zmm to, Zmm a, Operand b, int bits, Mask mask) => Vector(new(1, 0, false, 0x5e), to.Index, a.Index, b, bits, mask, zeroing: mask.Index != 0);

    /// <summary>to = a·b + to.</summary>
    public void Vfmadd231ps(Zmm to, Zmm a, Operand b, int bits = 512) => Vector(new(2, 1, false, 0xb8), to.Index, a.Index, b, bits);

    /// <summary>to = to·a + b.</summary>
    public void Vfmadd213ps(Zmm to, Zmm a, Operand b) => Vector(new(2, 1, false, 0xa8), to.Index, a.Index, b);

    /// <summary>Adds to each int the four products of its unsigned bytes in <paramref name="unsigned"/> and the signed ones in <paramref name="signed"/>.</summary>
    public void Vpdpbusd(Zmm to, Zmm unsigned, Operand signed, int bits = 512) => Vector(new(2, 1, false, 0x50), to.Index, unsigned.Index, signed, bits);

    public void Vcvtdq2ps(Zmm to, Operand from, int bits = 512) => Vector(new(1, 0, false, 0x5b), to.Index, 0, from, bits);

    /// <summary>To the nearest integer, ties to even.</summary>
    public void Vcvtps2dq(Zmm to, Operand from) => Vector(new(1, 1, false, 0x5b), to.Index, 0, from);

    /// <summary>The low bytes of sixteen ints.</summary>
    public void Vpmovdb(Zmm to, Zmm from) => Vector(new(2, 2, false, 0x31), from.Index, 0, to);

    /// <summary>The low halves of sixteen ints.</summary>
    public void Vpmovdw(Zmm to, Zmm from) => Vector(new(2, 2, false, 0x33), from.Index, 0, to);

    /// <summary>Halves, in half as many bits, to float32.</summary>
    public void Vcvtph2ps(Zmm to, Operand from, int bits = 512) => Vector(new(2, 1, false, 0x13), to.Index, 0, from, bits, unit: bits / 16);

    public void Vpmovzxwd(Zmm to, Operand from) => Vector(new(2, 1, false, 0x33), to.Index, 0, from, unit: 32);

    public void Vpmovzxbd(Zmm to, Operand from) => Vector(new(2, 1, false, 0x31), to.Index, 0, from, unit: 16);

    public void Vpmovsxbd(Zmm to, Operand from) => Vector(new(2, 1, false, 0x21), to.Index, 0, from, unit: 16);

    public void Vpaddd(Zmm to, Zmm a, Operand b, int bits) => Vector(new(1, 1, false, 0xfe), to.Index, a.Index, b, bits);

    public void Vpsubd(Zmm to, Zmm a, Operand b) => Vector(new(1, 1, false, 0xfa), to.Index, a.Index, b);

    /// <summary>The lower lanes of both, in turns.</summary>
    public void Vunpcklps(Zmm to, Zmm a, Operand b, int bits) => Vector(new(1, 0, false, 0x14), to.Index, a.Index, b, bits);

    /// <summary>The lower two ints of each quarter of both, in turns.</summary>
    public void Vpunpckldq(Zmm to, Zmm a, Operand b) => Vector(new(1, 1, false, 0x62), to.Index, a.Index, b);

    /// <summary>The upper two ints of each quarter of both, in turns.</summary>
    public void Vpunpckhdq(Zmm to, Zmm a, Operand b) => Vector(new(1, 1, false, 0x6a), to.Index, a.Index, b);

    /// <summary>The lower half of each quarter of both.</summary>
    public void Vpunpcklqdq(Zmm to, Zmm a, Operand b) => Vector(new(1, 1, true, 0x6c), to.Index, a.Index, b);

    /// <summary>The upper half of each quarter of both.</summary>
    public void Vpunpckhqdq(Zmm to, Zmm a, Operand b) => Vector(new(1, 1, true, 0x6d), to.Index, a.Index, b);

    /// <summary>Replaces one of the lowest eight 16-bit lanes.</summary>
    public void Vpinsrw(Zmm to, Zmm from, in Mem value, int which) => Vector(new(1, 1, false, 0xc4), to.Index, from.Index, value, 128, unit: 2, immediate: which);

    public void Vpxord(Zmm to, Zmm a, Operand b, int bits = 512) => Vector(new(1, 1, false, 0xef), to.Index, a.Index, b, bits);

    public void Vpandd(Zmm to, Zmm a, Operand b, int bits = 512) => Vector(new(1, 1, false, 0xdb), to.Index, a.Index, b, bits);

    public void Vpord(Zmm to, Zmm a, Operand b, int bits = 512) => Vector(new(1, 1, false, 0xeb), to.Index, a.Index, b, bits);

    /// <summary>Any bitwise function of three: bit (to·4 + a·2 + b) of the table.</summary>
    public void Vpternlogd(Zmm to, Zmm a, Operand b, int table) => Vector(new(3, 1, false, 0x25), to.Index, a.Index, b, immediate: table);

    public void Vpaddb(Zmm to, Zmm a, Operand b, Mask mask) => Vector(new(1, 1, false, 0xfc), to.Index, a.Index, b, 512, mask);

    /// <summary>Bytes of a chosen by b within each quarter.</summary>
    public void Vpshufb(Zmm to, Zmm a, Operand b) => Vector(new(2, 1, false, 0x00), to.Index, a.Index, b);

    public void Vpshufd(Zmm to, Operand from, int order, int bits = 512) => Vector(new(1, 1, false, 0x70), to.Index, 0, from, bits, immediate: order);

    public void Vpsrad(Zmm to, Operand from, int count) => Vector(new(1, 1, false, 0x72), 4, to.Index, from, immediate: count);

    public void Vpsrld(Zmm to, Operand from, int count) => Vector(new(1, 1, false, 0x72), 2, to.Index, from, immediate: count);

    public void Vpslld(Zmm to, Operand from, int count) => Vector(new(1, 1, false, 0x72), 6, to.Index, from, immediate: count);

    /// <summary>Shifts 16-bit lanes right; lanes without a mask bit keep what <paramref name="to"/> held.</summary>
    public void Vpsrlw(Zmm to, Zmm from, int count, Mask mask = default) => Vector(new(1, 1, false, 0x71), 2, to.Index, from, 512, mask, immediate: count);

    /// <summary>Shifts each int right by the count in the same lane.</summary>
    public void Vpsrlvd(Zmm to, Zmm from, Operand counts, int bits = 512) => Vector(new(2, 1, false, 0x45), to.Index, from.Index, counts, bits);

    public void Vpsllvd(Zmm to, Zmm from, Operand counts) => Vector(new(2, 1, false, 0x47), to.Index, from.Index, counts);

    public void Vprolvd(Zmm to, Zmm from, Operand counts) => Vector(new(2, 1, false, 0x15), to.Index, from.Index, counts);

    /// <summary>Lanes of <paramref name="from"/> by the indices in <paramref name="order"/>.</summary>
    public void Vpermps(Zmm to, Zmm order, Operand from) => Vector(new(2, 1, false, 0x16), to.Index, order.Index, from);

    /// <summary>16-bit lanes of <paramref name="from"/> by the indices in <paramref name="order"/>.</summary>
    public void Vpermw(Zmm to, Zmm order, Operand from, int bits) => Vector(new(2, 1, true, 0x8d), to.Index, order.Index, from, bits);

    /// <summary>Even lanes twice.</summary>
    public void Vmovsldup(Zmm to, Operand from) => Vector(new(1, 2, false, 0x12), to.Index, 0, from);

    /// <summary>Odd lanes twice.</summary>
    public void Vmovshdup(Zmm to, Operand from) => Vector(new(1, 2, false, 0x16), to.Index, 0, from);

    /// <summary>x − ⌊x⌋.</summary>
    public void VreducepsFloor(Zmm to, Operand from) => Vector(new(3, 1, false, 0x56), to.Index, 0, from, immediate: 9);

    /// <summary>a · 2^⌊b⌋, through the subnormals down to zero.</summary>
    public void Vscalefps(Zmm to, Zmm a, Operand b) => Vector(new(2, 1, false, 0x2c), to.Index, a.Index, b);

    /// <summary>An approximation of 1 / x, good to 14 bits.</summary>
    public void Vrcp14ps(Zmm to, Operand from) => Vector(new(2, 1, false, 0x4c), to.Index, 0, from);

    /// <summary>to = b − to·a.</summary>
    public void Vfnmadd213ps(Zmm to, Zmm a, Operand b) => Vector(new(2, 1, false, 0xac), to.Index, a.Index, b);

    /// <summary>b where the mask is set, else a.</summary>
    public void Vblendmps(Zmm to, Mask mask, Zmm a, Operand b) => Vector(new(2, 1, false, 0x65), to.Index, a.Index, b, mask: mask);

    /// <summary>Lanes where a &lt; b.</summary>
    public void VcmppsLess(Mask to, Zmm a, Operand b) => Vector(new(1, 0, false, 0xc2), to.Index, a.Index, b, immediate: 0x11);

    /// <summary>The low 16 bits of a general register as a mask.</summary>
    public void Kmovw(Mask to, Gpr from)
    {
        if (from >= Gpr.R8) Raw(0xc4, 0xc1, 0x78, 0x92);
        else Raw(0xc5, 0xf8, 0x92);
        Raw((byte)(0xc0 | to.Index << 3 | (int)from & 7));
    }

    /// <summary>32 bits of memory as a mask.</summary>
    public void Kmovd(Mask to, in Mem from)
    {
        Raw(0xc4, (byte)(0xe1 & ~((int)from.Base >> 3 << 5)), 0xf9, 0x90);
        Address(to.Index, from, 1);
    }

    /// <summary>The low halves of two masks: that of a above that of b.</summary>
    public void Kunpckdq(Mask to, Mask a, Mask b) => Raw(0xc4, 0xe1, (byte)(0x80 | (~a.Index & 15) << 3 | 4), 0x4b, (byte)(0xc0 | to.Index << 3 | b.Index));

    /// <summary>A general register as a mask of 64 bits.</summary>
    public void Kmovq(Mask to, Gpr from) => Raw(0xc4, (byte)(from >= Gpr.R8 ? 0xc1 : 0xe1), 0xfb, 0x92, (byte)(0xc0 | to.Index << 3 | (int)from & 7));
}
