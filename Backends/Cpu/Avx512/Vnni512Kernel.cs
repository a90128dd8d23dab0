using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Quantized weights against 8-bit activations with AVX-512 VNNI: panels by <see cref="PanelCode"/>, a few rows by <paramref name="few"/>.</summary>
/// <param name="weights">The matrix.</param>
/// <param name="code">Where the emitted code is kept.</param>
/// <param name="few">Multiplies a few rows.</param>
internal sealed unsafe class Vnni512Kernel<TBlock>(TensorView weights, CodeCache code, WeightKernel few) : WeightKernel(weights) where TBlock : struct, IInt8Block
{
    /// <summary>Panels laid out together: activations are read once for all of them.</summary>
    private const int MostPanels = 4;

    /// <summary>What the panels may take of the second-level cache.</summary>
    private const long PanelBudget = 256 << 10;

    /// <summary>Heights there is code for; a tile of another height computes some rows for nothing.</summary>
    private const int HeightStep = 4;

    private readonly nint[] _products = Emit(code, weights.Columns);
    private readonly long _panelBytes = (Int8Panel<TBlock, LiftedLayout>.Bytes(weights.Columns) + 63) / 64 * 64;

    public override bool ReadsQuantized => true;

    public override int PanelsTogether => (int)Math.Clamp(PanelBudget / _panelBytes, 1, MostPanels);

    public override long ScratchBytes => Math.Max(few.ScratchBytes, PanelsTogether * _panelBytes);

    public override int RowsForPanels => few.RowsForPanels;

    public override void Dot(int begin, int count, in LinearInput x, int rows, float* y, byte* scratch) => few.Dot(begin, count, x, rows, y, scratch);

    public override void Multiply(int begin, int count, in LinearInput x, int rows, byte* scratch, in Epilogue store)
    {
        int panels = (count + PanelRows - 1) / PanelRows;
        for (int p = 0; p < panels; p++)
            Panel(scratch, p).Pack(Address + (begin + p * PanelRows) * RowBytes, RowBytes, Math.Min(PanelRows, count - p * PanelRows), ahead: panels * PanelRows * RowBytes);
        float* tile = stackalloc float[PanelCode.Tile * PanelRows];
        for (int t = 0; t < rows; t += PanelCode.Tile)
        {
            int height = Math.Min(PanelCode.Tile, rows - t);
            QuantizedRow first = x.Quantized!.Row(t);   // ReadsQuantized: the compiler gave it
            for (int p = 0; p < panels; p++)
            {
                Multiply(Panel(scratch, p), first, height, tile);
                for (int r = 0; r < height; r++) store.Row(t + r, begin + p * PanelRows, Math.Min(PanelRows, count - p * PanelRows), tile + r * PanelRows);
            }
        }
    }

    private Int8Panel<TBlock, LiftedLayout> Panel(byte* scratch, int p) => new(scratch + p * _panelBytes, Columns);

    private void Multiply(in Int8Panel<TBlock, LiftedLayout> panel, in QuantizedRow x, int height, float* tile)
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
            Tile = tile,
        };
        ((delegate* unmanaged<void*, void>)_products[(height - 1) / HeightStep])(&arguments);
    }

    private static nint[] Emit(CodeCache code, int columns)
    {
        nint[] products = new nint[PanelCode.Tile / HeightStep];
        for (int i = 0; i < products.Length; i++)
        {
            bool lifted = Int8Panel<TBlock, LiftedLayout>.Lift != 0;
            var shape = new PanelShape(columns, QuantizedRows.StrideOf(columns), TBlock.Group, lifted, TBlock.HasOffset, (i + 1) * HeightStep);
            products[i] = (nint)code.Get(shape, PanelCode.Emit);
        }
        return products;
    }

    /// <summary>The layout of panels for instructions that take unsigned bytes of the whole range; it makes no products itself.</summary>
    private readonly struct LiftedLayout : IInt8Dot
    {
        public static bool WideUnsigned => true;

        public static Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x) => PortableDot.AddSigned(sum, w, x);

        public static Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x) => PortableDot.AddUnsigned(sum, w, x);
    }
}
