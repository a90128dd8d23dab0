namespace MambaRT.Backends.Cpu;

/// <summary>
/// <see cref="Int8Panel{TBlock,TDot}"/>.Multiply in AVX-512 VNNI: two panels of sixteen weight rows by up to six activation rows, the same sums in the
/// same order and so the same bits; bias and residual are added before the result is stored.
/// </summary>
/// <remarks>
/// A lane is a weight row. zmm0 to 11 hold the float sums, zmm12 to 23 the integer sums of the present group, zmm24 to 27 in turns the weights of four
/// columns of both panels, zmm28 and 29 an activation row's four columns in all lanes. So twelve products take eight loads: an AVX-512 core makes two
/// of either in a cycle, and the products remain what bounds it.
/// </remarks>
internal static unsafe class PanelCode
{
    private const int PanelLine = 4 * WeightKernel.PanelRows, ScaleLine = sizeof(float) * WeightKernel.PanelRows;

    private const Gpr Values = Gpr.Rsi, Scales = Gpr.Rdx, Starts = Gpr.Rcx, Sums = Gpr.R8, Panel = Gpr.R9, PanelScales = Gpr.R10, PanelOffsets = Gpr.R11;
    private const Gpr Block = Gpr.Rax, Left = Gpr.Rbx, Arguments = Gpr.Rdi;   // Block: 4 × the number of the block, the offset in an array of floats

    public static void Emit(Assembler a, PanelShape shape)
    {
        a.Push(Left);
        int tile = a.Position;
        a.Mov(Values, Argument(s => &s->Values));
        a.Mov(Scales, Argument(s => &s->Scales));
        a.Mov(Starts, Argument(s => &s->Starts));
        a.Mov(Sums, Argument(s => &s->Sums));
        a.Mov(Panel, Argument(s => &s->Panel));
        a.Mov(PanelScales, Argument(s => &s->PanelScales));
        a.Mov(PanelOffsets, Argument(s => &s->PanelOffsets));
        a.MovImmediate(Block, 0);
        a.MovImmediate(Left, shape.Columns / QuantizedRows.Block);
        ForEach(shape, (r, p) => a.Vpxord(Float(r, p), Float(r, p), Float(r, p)));
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
        TileStore.Emit(a, Argument(s => &s->Store), shape.Height, shape.Panels);
        int blocks = shape.Height * shape.Stride, groups = blocks * (QuantizedRows.Block / shape.Group) * sizeof(float);
        TileStore.EmitNext(a, [(Argument(s => &s->Values), blocks * QuantizedRows.Block), (Argument(s => &s->Scales), blocks * sizeof(float)),
            (Argument(s => &s->Starts), groups), (Argument(s => &s->Sums), groups)], Argument(s => &s->Tiles), tile);
        a.Pop(Left);
        a.Return();
    }

    private static Mem Argument(FieldOf<PanelArguments> field) => new Mem(Arguments).Field(field);

    /// <summary>The integer sums of a group.</summary>
    private static void Multiply(Assembler a, PanelShape shape, int group)
    {
        ForEach(shape, (r, p) =>
        {
            if (!shape.Lifted) a.Vpxord(Whole(r, p), Whole(r, p), Whole(r, p));
            else if (p == 0) a.Vpbroadcastd(Whole(r, 0), PerGroup(Starts, shape, r, group));
            else a.Vmovdqu32(Whole(r, p), Whole(r, 0));
        });
        for (int k = 0; k < shape.Group / 4; k++)
        {
            int column = group * shape.Group + 4 * k;
            for (int p = 0; p < shape.Panels; p++) a.Vmovdqu32(Weights(k, p), new Mem(Panel, p * shape.PanelBytes + column / 4 * PanelLine));
            for (int r = 0; r < shape.Height; r++)
            {
                a.Vpbroadcastd(Row(r), new Mem(Values, r * shape.Stride * QuantizedRows.Block + column, Block, 8));
                for (int p = 0; p < shape.Panels; p++) a.Vpdpbusd(Whole(r, p), Weights(k, p), Row(r));
            }
        }
    }

    /// <summary>float sum += integer sum · (weight scale · activation scale) (+ offset · Σx).</summary>
    private static void Scale(Assembler a, PanelShape shape, int group)
    {
        Load(a, shape, PanelScales, group);
        for (int r = 0; r < shape.Height; r++)
        {
            a.Vbroadcastss(Row(r), new Mem(Scales, r * shape.Stride * sizeof(float), Block));
            for (int p = 0; p < shape.Panels; p++)
            {
                Zmm scale = new(30 + p);
                a.Vcvtdq2ps(Whole(r, p), Whole(r, p));
                a.Vmulps(scale, Weights(0, p), Row(r));
                a.Vfmadd231ps(Float(r, p), Whole(r, p), scale);
            }
        }
        if (!shape.HasOffset) return;
        Load(a, shape, PanelOffsets, group);
        for (int r = 0; r < shape.Height; r++)
        {
            a.Vbroadcastss(Row(r), PerGroup(Sums, shape, r, group));
            for (int p = 0; p < shape.Panels; p++) a.Vfmadd231ps(Float(r, p), Weights(0, p), Row(r));
        }
    }

    /// <summary>A float for each weight row of the panels.</summary>
    private static void Load(Assembler a, PanelShape shape, Gpr array, int group)
    {
        for (int p = 0; p < shape.Panels; p++) a.Vmovups(Weights(0, p), new Mem(array, p * shape.PanelBytes + group * ScaleLine));
    }

    private static void ForEach(PanelShape shape, Action<int, int> write)
    {
        for (int r = 0; r < shape.Height; r++)
            for (int p = 0; p < shape.Panels; p++) write(r, p);
    }

    private static Zmm Float(int row, int panel) => new(TileStore.Pair * row + panel);

    private static Zmm Whole(int row, int panel) => new(TileStore.Pair * (TileStore.Rows + row) + panel);

    private static Zmm Weights(int k, int panel) => new(24 + TileStore.Pair * (k % 2) + panel);

    private static Zmm Row(int row) => new(28 + row % 2);

    /// <summary>An element of an array with one value a group.</summary>
    private static Mem PerGroup(Gpr array, PanelShape shape, int row, int group)
    {
        int groups = QuantizedRows.Block / shape.Group;
        return new Mem(array, (row * shape.Stride * groups + group) * sizeof(float), Block, groups);
    }
}
