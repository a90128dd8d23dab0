namespace MambaRT.Backends.Cpu;

/// <summary>Q2_K: sixteen groups of 16 with 4-bit scales and minima.</summary>
internal sealed class TwoBitUnpack() : GroupsUnpack(blockBytes: 84, startShift: null)
{
    private const int ValuesAt = 16, ScaleAt = 80;

    private static readonly Zmm Threes = new(20), ScaleOrder = new(21), MinimumOrder = new(22), Minima = C;

    protected override int Group => 16;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Threes, a.Constant(0x03030303));
        a.Vpxord(ScaleOrder, ScaleOrder, ScaleOrder);
        a.Vpbroadcastd(MinimumOrder, a.Constant(1));
    }

    protected override void Scales(Assembler a, Mem block)
    {
        a.Vpmovzxbd(A, block);
        a.Vpbroadcastd(B, block.Plus(ScaleAt), 128);
        a.Vcvtph2ps(B, B, 128);   // d, dmin
        a.Vpandd(Groups, A, a.Constant(15));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpermps(D, ScaleOrder, B);
        a.Vmulps(Groups, Groups, D);
        a.Vpsrld(A, A, 4);
        a.Vcvtdq2ps(Minima, A);
        a.Vpermps(D, MinimumOrder, B);
        a.Vmulps(Minima, Minima, D);
    }

    protected override void ScaleRow(Assembler a, DotShape shape, DotStream w, int t)
    {
        base.ScaleRow(a, shape, w, t);
        a.Vfmadd231ps(w.Sum(t), Minima, DotCode.SmallSums(shape, t));
    }

    /// <summary>Bits 0 and 1, then 2 and 3, of 32 bytes; or 4 and 5, then 6 and 7.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        a.Vbroadcasti64x4(Weights, block.Plus(ValuesAt + 32 * (step / 2)));
        a.Vpsrlvd(Weights, Weights, Twice(a, 4 * (step % 2), 4 * (step % 2) + 2));
        a.Vpandd(Weights, Weights, Threes);
    }
}

/// <summary><see cref="StagedInt8"/>: signed bytes, made unsigned by adding 128, with a scale for each sixteen.</summary>
internal sealed class StagedUnpack() : GroupsUnpack(blockBytes: StagedInt8.Bytes, startShift: 0)
{
    private static readonly Zmm Signs = new(20);

    protected override int Group => 16;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Signs, a.Constant(unchecked((int)0x80808080)));
    }

    /// <summary>The last block is whole: past the row's columns its scales are zero, and so are those of the activations.</summary>
    public override void Part(Assembler a, DotShape shape, DotStream w, int i, int columns) => Step(a, shape, w, i);

    protected override void Scales(Assembler a, Mem block) => a.Vmovups(Groups, block.Plus(StagedInt8.ScalesAt));

    protected override void Load(Assembler a, Mem block, int step) => a.Vpxord(Weights, Signs, block.Plus(64 * step));
}

/// <summary>Q3_K: sixteen groups of 16 with 6-bit scales; the third bits lie apart.</summary>
internal sealed class ThreeBitUnpack() : GroupsUnpack(blockBytes: 110, startShift: 5)
{
    private const int ValuesAt = 32, ScalesAt = 96, ScaleAt = 108;

    private static readonly Zmm Threes = new(20), Fours = new(21), ScaleOrder = new(22), HighBits = C, Moved = D;

    protected override int Group => 16;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Threes, a.Constant(0x03030303));
        a.Vpbroadcastd(Fours, a.Constant(0x04040404));
        a.Vpbroadcastd(ScaleOrder, a.Constant(1));
    }

    /// <remarks>
    /// The low four bits of scale g are a half of byte g mod 8, the high two a pair of bits of byte 8 + g mod 4. The load begins two bytes before the
    /// scales, so that nothing past the block is read.
    /// </remarks>
    protected override void Scales(Assembler a, Mem block)
    {
        a.Vmovdqu32(A, block.Plus(ScalesAt - 2), 128);
        a.Vpshufb(B, A, a.Lanes(0x0d0c0b0a, 0x0d0c0b0a, 0x0d0c0b0a, 0x0d0c0b0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
        a.Vpshufb(A, A, a.Lanes(0x05040302, 0x09080706, 0x05040302, 0x09080706, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
        a.Vpmovzxbd(Groups, A);
        a.Vpsrlvd(Groups, Groups, Twice(a, 0, 4));
        a.Vpandd(Groups, Groups, a.Constant(15));
        a.Vpmovzxbd(B, B);
        a.Vpsrlvd(B, B, a.Lanes(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6));
        a.Vpandd(B, B, a.Constant(3));
        a.Vpslld(B, B, 4);
        a.Vpord(Groups, Groups, B);
        a.Vpsubd(Groups, Groups, a.Constant(32));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpbroadcastd(B, block.Plus(ScaleAt - 2), 128);
        a.Vcvtph2ps(B, B, 128);
        a.Vpermps(B, ScaleOrder, B);
        a.Vmulps(Groups, Groups, B);
        a.Vbroadcasti64x4(HighBits, block);
    }

    /// <summary>Two pairs of bits of 32 bytes, and above them two bits of the mask, which go to bit 2; what crosses bytes is masked off.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        a.Vbroadcasti64x4(Weights, block.Plus(ValuesAt + 32 * (step / 2)));
        a.Vpsrlvd(Weights, Weights, Twice(a, 4 * (step % 2), 4 * (step % 2) + 2));
        a.Vpandd(Weights, Weights, Threes);
        a.Vprolvd(Moved, HighBits, Twice(a, 2 - 2 * step & 31, 1 - 2 * step & 31));
        a.Vpternlogd(Weights, Moved, Fours, 0xf8);
    }
}

/// <summary>Q6_K: sixteen groups of 16 with 8-bit scales.</summary>
internal sealed class SixBitUnpack() : GroupsUnpack(blockBytes: 210, startShift: 2)
{
    private const int HighAt = 128, ScalesAt = 192, ScaleAt = 208;

    private static readonly Zmm Fifteens = new(20), HighMask = new(21), ScaleOrder = new(22), Low = A, High = B, Moved = C;

    protected override int Group => 16;

    public override void Prepare(Assembler a, Gpr free)
    {
        base.Prepare(a, free);
        a.Vpbroadcastd(Fifteens, a.Constant(0x0f0f0f0f));
        a.Vpbroadcastd(HighMask, a.Constant(0x30303030));
        a.Vpbroadcastd(ScaleOrder, a.Constant(1));
    }

    protected override void Scales(Assembler a, Mem block)
    {
        a.Vpmovsxbd(Groups, block.Plus(ScalesAt));
        a.Vcvtdq2ps(Groups, Groups);
        a.Vpbroadcastd(D, block.Plus(ScaleAt - 2), 128);   // the two bytes before d, so that nothing past the block is read
        a.Vcvtph2ps(D, D, 128);
        a.Vpermps(D, ScaleOrder, D);
        a.Vmulps(Groups, Groups, D);
    }

    /// <summary>Low or high halves of 64 bytes, and two of the four pairs of high bits of 32 bytes.</summary>
    protected override void Load(Assembler a, Mem block, int step)
    {
        if (step % 2 == 0)
        {
            a.Vmovdqu32(Low, block.Plus(64 * (step / 2)));
            a.Vbroadcasti64x4(High, block.Plus(HighAt + 32 * (step / 2)));
            a.Vpandd(Weights, Low, Fifteens);
            a.Vpsllvd(Moved, High, Twice(a, 4, 2));
        }
        else
        {
            a.Vpsrlw(Weights, Low, 4);
            a.Vpandd(Weights, Weights, Fifteens);
            a.Vpsrlvd(Moved, High, Twice(a, 0, 2));
        }
        a.Vpternlogd(Weights, Moved, HighMask, 0xf8);
    }
}
