namespace MambaRT.Backends.Cpu;

/// <summary>Weights of a float type against float32 activations in AVX-512: panels by <see cref="FloatPanelCode"/>, a few rows by <see cref="FloatDotCode"/>.</summary>
/// <param name="plain">Lays out panels, and multiplies a few rows where there is no code for that.</param>
/// <param name="storage">How the weights are stored; null where they are decoded first.</param>
/// <param name="code">Where the emitted code is kept.</param>
internal sealed unsafe class Avx512FloatKernel(FloatPanelKernel plain, FloatStorage? storage, CodeCache code) : WeightKernel(plain.Weights)
{
    /// <summary>Room for eight rows of float32 while a panel is laid out.</summary>
    private readonly long _rowScratch = 8L * plain.Columns * sizeof(float);

    private readonly int _panelBytes = (int)(plain.PanelBytes / 64 | 1) * 64;
    private readonly nint[] _products = EmitProducts(code, plain.Columns, (int)(plain.PanelBytes / 64 | 1) * 64), _dots = EmitDots(code, storage, plain.Columns);

    public override bool ReadsQuantized => false;

    public override int PanelsTogether => TileStore.Pair;

    public override long ScratchBytes => Math.Max(plain.ScratchBytes, TileStore.Pair * _panelBytes + _rowScratch);

    public override int RowsForPanels => _dots.Length == 0 ? plain.RowsForPanels : FloatDotCode.Most + 1;

    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch)
    {
        if (_dots.Length == 0)
        {
            plain.Dot(begin, count, x, rows, y, scratch);
            return;
        }
        var arguments = new FloatDotArguments { Weights = Address + begin * Stride, RowBytes = Stride, X = x.Values.Data, XStride = x.Values.RowBytes };
        var dot = (delegate* unmanaged<void*, void>)_dots[rows - 1];
        bool halves = rows > 1 && count > 1;
        arguments.Rows = halves ? DotRows.Halves(count, Stride, y, count) : DotRows.All(count, y, count);
        dot(&arguments);
        if (!halves || count % 2 == 0) return;
        arguments.Weights = Address + (begin + count - 1) * Stride;
        arguments.Rows = DotRows.All(1, y + count - 1, count);
        dot(&arguments);
    }

    public override void Multiply(int begin, int count, in LinearInput x, int from, int to, byte* scratch, in Epilogue store)
    {
        int panels = (count + PanelRows - 1) / PanelRows;
        for (int p = 0; p < panels; p++)
            plain.Pack(begin + p * PanelRows, Math.Min(PanelRows, count - p * PanelRows), (float*)(scratch + p * _panelBytes), (float*)(scratch + TileStore.Pair * _panelBytes));
        for (int t = from; t < to;)
        {
            (int height, int tiles) = TileStore.Next(to - t);
            var arguments = new FloatPanelArguments
            {
                X = x.Values.Row(t), XStride = x.Values.RowBytes, Panel = (float*)scratch, Tiles = tiles, Store = TileStore.At(store, t, begin, count, code),
            };
            ((delegate* unmanaged<void*, void>)_products[(height - 1) * TileStore.Pair + panels - 1])(&arguments);
            t += height * tiles;
        }
    }

    private static nint[] EmitProducts(CodeCache code, int columns, int panelBytes)
    {
        nint[] products = new nint[TileStore.Rows * TileStore.Pair];
        for (int i = 0; i < products.Length; i++)
            products[i] = (nint)code.Get(new FloatPanelShape(columns, panelBytes, i % TileStore.Pair + 1, i / TileStore.Pair + 1), FloatPanelCode.Emit);
        return products;
    }

    private static nint[] EmitDots(CodeCache code, FloatStorage? storage, int columns)
    {
        if (storage is not FloatStorage stored || columns % 16 != 0) return [];
        nint[] dots = new nint[FloatDotCode.Most];
        for (int i = 0; i < dots.Length; i++) dots[i] = (nint)code.Get(new FloatDotShape(stored, columns, i + 1), FloatDotCode.Emit);
        return dots;
    }
}
