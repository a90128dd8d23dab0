namespace MambaRT.Backends.Cpu;

/// <summary>256 columns in groups with small integer scales, in four steps of 64 columns.</summary>
internal abstract class GroupsUnpack(int blockBytes, int? startShift) : DotUnpack
{
    protected const int Steps = 4;

    /// <summary>Where the scales and offsets of the groups are left, and registers that their unpacking may use.</summary>
    protected static readonly Zmm Weights = new(8), Groups = new(9), A = new(10), B = new(11), C = new(12), D = new(13);

    private static readonly Zmm ColumnOrder = new(27);

    public sealed override int Columns => 256;

    public sealed override int Bytes => blockBytes;

    public sealed override int StepsTogether => 1;

    public sealed override int SuperBytes => RowLanes.SuperBytes;

    /// <summary>Columns that share a scale: 16 or 32.</summary>
    protected abstract int Group { get; }

    public override void Prepare(Assembler a, Gpr free)
    {
        Span<int> lanes = stackalloc int[16];
        for (int step = 0; step < Steps; step++)
        {
            // A lane is four columns, and a step begins at its first group.
            for (int lane = 0; lane < 16; lane++) lanes[lane] = (64 * step + 4 * lane) / Group;
            a.Vmovdqu32(GroupOrder(step), a.Lanes(lanes));
        }
        if (Group == 16) a.Vmovdqu32(ColumnOrder, a.Lanes(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7));   // an activation scale serves two groups
    }

    public sealed override void Step(Assembler a, DotShape shape, DotStream w, int i)
    {
        Mem block = w.At(0);
        Scales(a, block);
        for (int t = 0; t < shape.Rows; t++) ScaleRow(a, shape, w, t);
        for (int step = 0; step < Steps; step++)
        {
            Load(a, block, step);
            for (int t = 0; t < shape.Rows; t++)
            {
                Zmm integers = new(28 + t % 2), scales = new(30 + t % 2);
                Begin(a, integers, DotCode.Starts(shape, t, 64 * step), startShift);
                a.Vpdpbusd(integers, Weights, DotCode.Values(shape, t, 64 * step));
                a.Vpermps(scales, GroupOrder(step), Scaled(t));
                AddScaled(a, w.Sum(t), integers, scales);
            }
        }
    }

    public override void Part(Assembler a, DotShape shape, DotStream w, int i, int columns) => throw new InvalidOperationException("Rows are whole blocks of 256 columns.");

    /// <summary>Leaves the scale of each group in a lane of <see cref="Groups"/>.</summary>
    protected abstract void Scales(Assembler a, Mem block);

    /// <summary>The 64 columns of a step as unsigned bytes.</summary>
    protected abstract void Load(Assembler a, Mem block, int step);

    /// <summary>Leaves the products of the scales with those of activation row t in <see cref="Scaled"/>, and adds what offsets bring.</summary>
    protected virtual void ScaleRow(Assembler a, DotShape shape, DotStream w, int t)
    {
        if (Group == 32)
        {
            a.Vmulps(Scaled(t), Groups, DotCode.Supers(shape, t));
            return;
        }
        a.Vpermps(Scaled(t), ColumnOrder, DotCode.Supers(shape, t));
        a.Vmulps(Scaled(t), Scaled(t), Groups);
    }

    protected static Zmm Scaled(int t) => new(16 + t);

    private static Zmm GroupOrder(int step) => new(23 + step);
}
