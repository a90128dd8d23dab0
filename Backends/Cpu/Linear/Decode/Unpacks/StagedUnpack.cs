namespace MambaRT.Backends.Cpu;

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
