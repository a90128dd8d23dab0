using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Quantized weights against 8-bit activations with AVX-512 VNNI: panels by <see cref="PanelCode"/>, a few rows by <see cref="DotCode"/>.</summary>
/// <param name="weights">The matrix.</param>
/// <param name="code">Where the emitted code is kept.</param>
/// <param name="plain">Multiplies a few rows where the type has no <see cref="DotUnpack"/>.</param>
/// <param name="staging">Unpacks rows to blocks of <typeparamref name="TBlock"/> first; null = they are stored as such.</param>
internal sealed unsafe class Vnni512Kernel<TBlock>(TensorView weights, CodeCache code, WeightKernel plain, Staging? staging = null) : WeightKernel(weights)
    where TBlock : struct, IInt8Block
{
    /// <summary>Panels laid out together: activations are read once for all of them.</summary>
    private const int MostPanels = 4;

    /// <summary>What the panels may take of the second-level cache.</summary>
    private const long PanelBudget = 256 << 10;

    private readonly TransposedUnpack? _transpose = TransposedUnpack.For(weights.Type.Name);
    private readonly nint[] _products = Emit(code, weights.Columns), _transposed = EmitTransposed(code, weights);
    private readonly nint[] _dots = EmitDots(code, staging != null ? DotUnpack.Staged : DotUnpack.For(weights.Type.Name), weights.Columns);
    private readonly BlockRows _blocks = new(weights, staging);
    private readonly long _panelBytes = PanelBytes(weights.Columns);

    public override bool ReadsQuantized => true;

    public override int PanelsTogether => (int)Math.Clamp(PanelBudget / _panelBytes, TileStore.Pair, MostPanels);

    public override long ScratchBytes =>
        Math.Max(Math.Max(plain.ScratchBytes, PanelsTogether * _panelBytes + _blocks.ScratchBytes), TransposedDotCode.ScratchBytes);

    public override int RowsForPanels => _dots.Length == 0 ? plain.RowsForPanels : _dots.Length + 1;

    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch)
    {
        if (_dots.Length == 0)
        {
            plain.Dot(begin, count, x, rows, y, scratch);
            return;
        }
        QuantizedRows rounded = x.Quantized!;   // ReadsQuantized: the compiler gave it
        int done = rows >= TransposedDotCode.LeastRows && _transposed.Length > 0 ? DotTransposed(begin, count, rounded.Row(0), rows, y, scratch) : 0;
        for (int some; done < count; done += some)
        {
            some = Math.Min(_blocks.Together, count - done);
            Dot(_blocks.Take(begin + done, some, scratch), some, rounded, rows, y + done, count);
        }
    }

    /// <summary>Whole groups of sixteen weight rows; returns how many rows they are.</summary>
    private int DotTransposed(int begin, int count, in QuantizedRow x, int rows, float* y, byte* scratch)
    {
        TransposedUnpack unpack = _transpose!;   // or there would be no code

        int whole = count / TransposedDotCode.Lanes * TransposedDotCode.Lanes;
        var arguments = new TransposedDotArguments
        {
            Values = x.Values, Beside = unpack.HasOffset ? x.Sums32 : unpack.Group == 16 ? x.Starts16 : x.Starts32, Scales = x.Scales,
            Scratch = scratch, YStride = (long)count * sizeof(float),
        };
        for (int first = 0; first < whole; first += TransposedDotCode.Lanes)
        {
            arguments.Weights = Address + (begin + first) * Stride;
            arguments.Y = y + first;
            ((delegate* unmanaged<void*, void>)_transposed[rows - TransposedDotCode.LeastRows])(&arguments);
        }
        return whole;
    }

    /// <summary>Weight rows in two streams; y[t·stride + i].</summary>
    private void Dot(byte* blocks, int count, QuantizedRows x, int rows, float* y, int stride)
    {
        var arguments = new DotArguments { Weights = blocks, RowBytes = _blocks.Stride, Values = x.Row(0).Values, Starts = x.Lanes.Starts(0) };
        var dot = (delegate* unmanaged<void*, void>)_dots[rows - 1];
        arguments.Rows = DotRows.Halves(count, _blocks.Stride, y, stride);
        if (count > 1) dot(&arguments);
        if (count % 2 == 0) return;
        arguments.Weights = blocks + (count - 1) * _blocks.Stride;
        arguments.Rows = DotRows.All(1, y + count - 1, stride);
        dot(&arguments);
    }

    public override void Multiply(int begin, int count, in LinearInput x, int from, int to, byte* scratch, in Epilogue store)
    {
        int panels = (count + PanelRows - 1) / PanelRows;
        byte* staged = scratch + PanelsTogether * _panelBytes;
        for (int p = 0; p < panels; p++)
        {
            int rowsOf = Math.Min(PanelRows, count - p * PanelRows);
            byte* blocks = _blocks.Take(begin + p * PanelRows, rowsOf, staged);
            Panel(scratch, p).Pack(blocks, _blocks.Stride, rowsOf, ahead: _blocks.Staged ? 0 : panels * PanelRows * Stride);
        }
        for (int t = from; t < to;)
        {
            (int height, int tiles) = TileStore.Next(to - t);
            QuantizedRow first = x.Quantized!.Row(t);   // ReadsQuantized: the compiler gave it
            for (int p = 0; p < panels; p += TileStore.Pair)
            {
                TileStore tile = TileStore.At(store, t, begin + p * PanelRows, count - p * PanelRows, code);
                Multiply(Panel(scratch, p), Math.Min(TileStore.Pair, panels - p), first, height, tiles, tile);
            }
            t += height * tiles;
        }
    }

    private Int8Panel<TBlock, LiftedLayout> Panel(byte* scratch, int p) => new(scratch + p * _panelBytes, Columns);

    private void Multiply(in Int8Panel<TBlock, LiftedLayout> panel, int panels, in QuantizedRow x, int height, int tiles, in TileStore store)
    {
        bool halves = TBlock.Group == 16;
        var arguments = new PanelArguments
        {
            Values = x.Values,
            Scales = x.Scales,
            Starts = halves ? x.Starts16 : x.Starts32,
            Sums = halves ? x.Sums16 : x.Sums32,
            Panel = panel.Values,
            PanelScales = panel.Scales,
            PanelOffsets = panel.Offsets,
            Tiles = tiles,
            Store = store,
        };
        ((delegate* unmanaged<void*, void>)_products[(height - 1) * TileStore.Pair + panels - 1])(&arguments);
    }

    /// <summary>Bytes from one panel to the next: whole cache lines, an odd number of them.</summary>
    private static int PanelBytes(int columns) => (int)((Int8Panel<TBlock, LiftedLayout>.Bytes(columns) + 63) / 64 | 1) * 64;

    /// <summary>For each height the code for one panel, then that for two.</summary>
    private static nint[] Emit(CodeCache code, int columns)
    {
        nint[] products = new nint[TileStore.Rows * TileStore.Pair];
        for (int i = 0; i < products.Length; i++)
        {
            bool lifted = Int8Panel<TBlock, LiftedLayout>.Lift != 0;
            int height = i / TileStore.Pair + 1, panels = i % TileStore.Pair + 1;
            var shape = new PanelShape(columns, QuantizedRows.StrideOf(columns), TBlock.Group, lifted, TBlock.HasOffset, PanelBytes(columns), panels, height);
            products[i] = (nint)code.Get(shape, PanelCode.Emit);
        }
        return products;
    }

    private static nint[] EmitDots(CodeCache code, DotUnpack? unpack, int columns)
    {
        if (unpack == null) return [];
        nint[] dots = new nint[RowLanes.Rows];
        for (int i = 0; i < dots.Length; i++) dots[i] = (nint)code.Get(new DotShape(unpack, columns, i + 1), DotCode.Emit);
        return dots;
    }

    private static nint[] EmitTransposed(CodeCache code, TensorView weights)
    {
        if (!weights.IsContiguous || TransposedUnpack.For(weights.Type.Name) is not TransposedUnpack unpack) return [];   // its code has the stride as a constant
        nint[] dots = new nint[RowLanes.Rows - TransposedDotCode.LeastRows + 1];
        for (int i = 0; i < dots.Length; i++)
            dots[i] = (nint)code.Get(new TransposedDotShape(unpack, weights.Columns, TransposedDotCode.LeastRows + i), TransposedDotCode.Emit);
        return dots;
    }

    /// <summary>The layout of panels for instructions that take unsigned bytes of the whole range; it makes no products itself.</summary>
    private readonly struct LiftedLayout : IInt8Dot
    {
        public static bool WideUnsigned => true;

        public static Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x) => PortableDot.AddSigned(sum, w, x);

        public static Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x) => PortableDot.AddUnsigned(sum, w, x);
    }
}
