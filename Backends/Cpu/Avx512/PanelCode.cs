namespace MambaRT.Backends.Cpu;

/// <summary>Everything the code of a panel product depends on.</summary>
/// <param name="Columns">Columns of the weights, a multiple of 32.</param>
/// <param name="Stride">Blocks from one activation row to the next.</param>
/// <param name="Group">Columns that share a weight scale: 16 or 32.</param>
/// <param name="Lifted">Whether the bytes are 128 too high.</param>
/// <param name="HasOffset">Whether the type has offsets.</param>
/// <param name="Height">Activation rows, 1 to <see cref="PanelCode.Tile"/>.</param>
internal readonly record struct PanelShape(int Columns, int Stride, int Group, bool Lifted, bool HasOffset, int Height);

/// <summary>What a panel product reads and writes; the code takes a pointer to it.</summary>
internal unsafe struct PanelArguments
{
    public sbyte* Values;
    public float* Scales;
    public int* Starts;
    public float* Sums;
    public byte* Panel;
    public float* PanelScales;
    public float* PanelOffsets;
    public float* Tile;
}

/// <summary>
/// <see cref="Int8Panel{TBlock,TDot}"/>.Multiply in AVX-512 VNNI: sixteen weight rows by up to twelve activation rows, the same sums in the same order
/// and so the same bits.
/// </summary>
/// <remarks>
/// A lane is a weight row. zmm0 to 11 hold the float sums of the activation rows, zmm12 to 23 the integer sums of the present group; zmm24 and 25 take turns
/// with the weights of four columns. An activation row's four columns are one int that the instruction itself spreads over all lanes, so per four columns
/// there are one load of weights and one instruction a row.
/// </remarks>
internal static class PanelCode
{
    /// <summary>Activation rows that the registers have room for.</summary>
    public const int Tile = 12;

    private const int PanelLine = 4 * WeightKernel.PanelRows, ScaleLine = sizeof(float) * WeightKernel.PanelRows;

    private const Gpr Values = Gpr.Rsi, Scales = Gpr.Rdx, Starts = Gpr.Rcx, Sums = Gpr.R8, Panel = Gpr.R9, PanelScales = Gpr.R10, PanelOffsets = Gpr.R11;
    private const Gpr Block = Gpr.Rax, Left = Gpr.Rdi;   // Block: 4 × the number of the block, the offset in an array of floats

    private static readonly Zmm RowScales = new(26), RowOffsets = new(27);

    public static void Emit(Assembler a, PanelShape shape)
    {
        int index = 0;
        foreach (Gpr pointer in (ReadOnlySpan<Gpr>)[Values, Scales, Starts, Sums, Panel, PanelScales, PanelOffsets]) a.Mov(pointer, new Mem(Gpr.Rdi, 8 * index++));
        a.Push(Gpr.Rdi);
        a.MovImmediate(Block, 0);
        a.MovImmediate(Left, shape.Columns / QuantizedRows.Block);
        for (int r = 0; r < shape.Height; r++) a.Vpxord(Float(r), Float(r), Float(r));
        int loop = a.Position;
        for (int group = 0; group < QuantizedRows.Block / shape.Group; group++)
        {
            Multiply(a, shape, group);
            Scale(a, shape, group);
        }
        a.Add(Block, sizeof(float));
        a.Add(Panel, PanelLine * QuantizedRows.Block / 4);
        a.Add(PanelScales, ScaleLine * QuantizedRows.Block / shape.Group);
        if (shape.HasOffset) a.Add(PanelOffsets, ScaleLine * QuantizedRows.Block / shape.Group);
        a.Sub(Left, 1);
        a.JumpBackIfNotZero(loop);
        a.Pop(Gpr.Rdi);
        a.Mov(Block, new Mem(Gpr.Rdi, 8 * index));
        for (int r = 0; r < shape.Height; r++) a.VmovupsStore(new Mem(Block, r * ScaleLine), Float(r));
        a.Return();
    }

    private static Zmm Float(int row) => new(row);

    private static Zmm Whole(int row) => new(Tile + row);

    /// <summary>The integer sums of a group.</summary>
    private static void Multiply(Assembler a, PanelShape shape, int group)
    {
        for (int r = 0; r < shape.Height; r++)
        {
            if (!shape.Lifted) a.Vpxord(Whole(r), Whole(r), Whole(r));
            else a.Vpbroadcastd(Whole(r), PerGroup(Starts, shape, r, group));
        }
        for (int k = 0; k < shape.Group / 4; k++)
        {
            int column = group * shape.Group + 4 * k;
            var weights = new Zmm(24 + k % 2);
            a.Vmovdqu32(weights, new Mem(Panel, column / 4 * PanelLine));
            for (int r = 0; r < shape.Height; r++)
                a.Vpdpbusd(Whole(r), weights, new Mem(Values, r * shape.Stride * QuantizedRows.Block + column, Block, 8).ToAllLanes);
        }
    }

    /// <summary>float sum += integer sum · (weight scale · activation scale) (+ offset · Σx).</summary>
    private static void Scale(Assembler a, PanelShape shape, int group)
    {
        a.Vmovups(RowScales, new Mem(PanelScales, group * ScaleLine));
        if (shape.HasOffset) a.Vmovups(RowOffsets, new Mem(PanelOffsets, group * ScaleLine));
        for (int r = 0; r < shape.Height; r++)
        {
            var scale = new Zmm(28 + r % 4);
            a.Vcvtdq2ps(Whole(r), Whole(r));
            a.Vmulps(scale, RowScales, new Mem(Scales, r * shape.Stride * sizeof(float), Block).ToAllLanes);
            a.Vfmadd231ps(Float(r), Whole(r), scale);
            if (shape.HasOffset) a.Vfmadd231ps(Float(r), RowOffsets, PerGroup(Sums, shape, r, group).ToAllLanes);
        }
    }

    /// <summary>An element of an array with one value a group.</summary>
    private static Mem PerGroup(Gpr array, PanelShape shape, int row, int group)
    {
        int groups = QuantizedRows.Block / shape.Group;
        return new Mem(array, (row * shape.Stride * groups + group) * sizeof(float), Block, groups);
    }
}
