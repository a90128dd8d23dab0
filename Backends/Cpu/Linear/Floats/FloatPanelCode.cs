namespace MambaRT.Backends.Cpu;

/// <summary>Two panels [columns, 16] of float32 weights by up to six activation rows in AVX-512.</summary>
/// <remarks>
/// A lane is a weight row. zmm0 to 11 hold the sums, zmm24 to 27 in turns the weights of a column of both panels, zmm28 and 29 an activation in all lanes:
/// eight loads for twelve multiply-adds.
/// </remarks>
internal static unsafe class FloatPanelCode
{
    private const int Line = sizeof(float) * WeightKernel.PanelRows, Unrolled = 4;

    private const Gpr Upper = Gpr.Rsi, Lower = Gpr.Rdx, Stride = Gpr.Rcx, Panel = Gpr.R9, Left = Gpr.Rax;   // Upper: rows 0 to 2, Lower: rows 3 to 5

    public static void Emit(Assembler a, FloatPanelShape shape)
    {
        int tile = a.Position;
        a.Mov(Upper, Argument(s => &s->X));
        a.Mov(Stride, Argument(s => &s->XStride));
        a.Mov(Panel, Argument(s => &s->Panel));
        a.Lea(Lower, new Mem(Upper, 0, Stride, 2));
        a.Add(Lower, Stride);
        for (int r = 0; r < shape.Height; r++)
            for (int p = 0; p < shape.Panels; p++) a.Vpxord(Sum(r, p), Sum(r, p), Sum(r, p));
        if (shape.Columns >= Unrolled)
        {
            a.MovImmediate(Left, shape.Columns / Unrolled);
            int loop = a.Position;
            for (int k = 0; k < Unrolled; k++) Multiply(a, shape, k);
            a.Add(Upper, Unrolled * sizeof(float));
            a.Add(Lower, Unrolled * sizeof(float));
            a.Add(Panel, Unrolled * Line);
            a.Sub(Left, 1);
            a.JumpBackIfNotZero(loop);
        }
        for (int k = 0; k < shape.Columns % Unrolled; k++) Multiply(a, shape, k);
        TileStore.Emit(a, Argument(s => &s->Store), shape.Height, shape.Panels);
        a.Mov(Upper, Argument(s => &s->X));
        a.Mov(Stride, Argument(s => &s->XStride));
        for (int r = 0; r < shape.Height; r++) a.Add(Upper, Stride);
        a.MovStore(Argument(s => &s->X), Upper);
        TileStore.EmitNext(a, [], Argument(s => &s->Tiles), tile);
        a.Return();
    }

    private static void Multiply(Assembler a, FloatPanelShape shape, int k)
    {
        for (int p = 0; p < shape.Panels; p++) a.Vmovups(Weights(k, p), new Mem(Panel, p * shape.PanelBytes + k * Line));
        for (int r = 0; r < shape.Height; r++)
        {
            Gpr rows = r < TileStore.Rows / 2 ? Upper : Lower;
            var x = new Zmm(28 + r % 2);
            a.Vbroadcastss(x, r % (TileStore.Rows / 2) == 0 ? new Mem(rows, k * sizeof(float)) : new Mem(rows, k * sizeof(float), Stride, r % (TileStore.Rows / 2)));
            for (int p = 0; p < shape.Panels; p++) a.Vfmadd231ps(Sum(r, p), Weights(k, p), x);
        }
    }

    private static Mem Argument(FieldOf<FloatPanelArguments> field) => new Mem(Gpr.Rdi).Field(field);

    private static Zmm Sum(int row, int panel) => new(TileStore.Pair * row + panel);

    private static Zmm Weights(int k, int panel) => new(24 + TileStore.Pair * (k % 2) + panel);
}
