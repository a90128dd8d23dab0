using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>How a product is cut into tiles for tensor cores: the kernels of matmul_narrow.h, matmul_tensor.h and matmul_wgmma.h.</summary>
/// <param name="Rows">Rows of a tile.</param>
/// <param name="Columns">Outputs of a tile.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="Depth">Columns of x that come at a time.</param>
/// <param name="Stages">How many of those are on their way or in use.</param>
/// <param name="IsWgmma">Whether it is a tile of compute capability 9.0, of which a multiprocessor has one at a time.</param>
/// <param name="Splits">Parts of the inner dimension, added up where there are several: by a second kernel, or by a narrow tile's last block.</param>
/// <param name="XParts">Halves that x is the sum of.</param>
/// <param name="WParts">Halves that the weights are.</param>
internal readonly record struct TensorTile(int Rows, int Columns, int Threads, int Depth, int Stages, bool IsWgmma, int Splits = 1, int XParts = 1, int WParts = 1)
{
    /// <summary>Rows up to which narrow tiles serve a product: it takes the time of reading its weights.</summary>
    public const int MostNarrow = 64;

    /// <summary>Tiles that are split at most.</summary>
    public const int MostSplitTiles = 4096;

    /// <summary>Floats that the parts of a split product take at most.</summary>
    public const long MostParts = 4 << 20;

    /// <summary>Inner dimensions up to this are no work for the large tiles: what counts is to write the outputs, by many blocks.</summary>
    private const int Shallow = 64;

    private const int MostSplits = 12, LeastSteps = 4, Padding = 8;

    /// <summary>Two of one of these have room on a multiprocessor: the next product asks for its weights beside the end of one.</summary>
    private static readonly TensorTile[] Low = [new(32, 32, 128, 64, 8, false), new(32, 64, 128, 64, 8, false)], High = [new(64, 32, 256, 64, 8, false), new(64, 64, 256, 64, 6, false)];

    private static readonly TensorTile Large = new(128, 128, 256, 32, 4, false);

    private static readonly TensorTile Narrow = new(128, 128, 384, 64, 5, true), Wide = new(128, 256, 384, 64, 4, true);

    private static readonly TensorTile[] Split =
    [
        new(128, 128, 384, 64, 4, true, XParts: 2), new(128, 160, 384, 64, 4, true, XParts: 2), new(128, 128, 256, 32, 3, false, XParts: 2),
        new(128, 128, 384, 64, 3, true, XParts: 3), new(128, 128, 256, 32, 2, false, XParts: 3),
        new(128, 128, 384, 64, 3, true, XParts: 2, WParts: 2), new(128, 128, 256, 32, 2, false, XParts: 2, WParts: 2),
    ];

    /// <summary>Whether it is one of those for few rows.</summary>
    public bool IsNarrow => Rows <= MostNarrow;

    /// <summary>Shared memory of a block.</summary>
    public int SharedBytes => IsWgmma
        ? 1024 + Stages * (RowsOfStage * Depth * sizeof(ushort) + 2 * sizeof(ulong))   // tiles lie on a multiple of 1,024; two barriers each
        : RowsOfStage * (Depth + Padding) * Stages * sizeof(ushort);

    private int RowsOfStage => Rows * XParts + Columns * WParts;

    /// <summary>The tile, and in how many parts the inner dimension, that take the least time.</summary>
    /// <param name="parts">Of how many halves the factors are sums.</param>
    /// <param name="rows">Rows of the product.</param>
    /// <param name="columns">Its outputs.</param>
    /// <param name="depth">Its inner dimension.</param>
    /// <param name="multiProcessors">Multiprocessors of the device.</param>
    /// <param name="wgmma">Whether tiles of compute capability 9.0 can be used.</param>
    public static TensorTile For(HalfParts parts, int rows, int columns, int depth, int multiProcessors, bool wgmma) => Fastest(parts, rows, columns, depth, multiProcessors, wgmma).Tile;

    /// <summary>Outputs that a first launch should take and leave the rest to a second, so that a few tiles do not keep the device for a round of their own; all where one does.</summary>
    /// <inheritdoc cref="For"/>
    public static int FirstOutputs(HalfParts parts, int rows, int columns, int depth, int multiProcessors, bool wgmma)
    {
        const double Launch = 2, Worth = 0.95;
        if (!wgmma || rows <= MostNarrow || depth <= Shallow || parts.W > 1) return columns;
        (int best, double least) = (columns, Worth * Microseconds(columns));
        for (int first = Narrow.Columns; first < columns; first += Narrow.Columns)
        {
            double time = Launch + Microseconds(first) + Microseconds(columns - first);
            if (time < least) (best, least) = (first, time);
        }
        return best;

        double Microseconds(int outputs) => Fastest(parts, rows, outputs, depth, multiProcessors, wgmma).Microseconds;
    }

    private static (TensorTile Tile, double Microseconds) Fastest(HalfParts parts, int rows, int columns, int depth, int multiProcessors, bool wgmma)
    {
        if (parts.AreSeveral)
        {
            TensorTile[] tiles = Array.FindAll(Split, tile => tile.IsWgmma == wgmma && (tile.XParts, tile.WParts) == (parts.X, parts.W));
            return wgmma ? Best(tiles, rows, columns, depth, multiProcessors) : (tiles[0], 0);
        }
        if (rows <= MostNarrow || depth <= Shallow) return ForFew(rows, columns, depth, multiProcessors);
        if (!wgmma) return Large.Count(rows, columns) >= multiProcessors * 3 / 4 ? (Large, 0) : ForFew(rows, columns, depth, multiProcessors);
        return Best([Narrow, Wide], rows, columns, depth, multiProcessors);
    }

    private static (TensorTile Tile, double Microseconds) Best(ReadOnlySpan<TensorTile> tiles, int rows, int columns, int depth, int multiProcessors)
    {
        (TensorTile best, double least) = (tiles[0], double.MaxValue);
        foreach (TensorTile tile in tiles)
            for (int splits = 1; splits <= MostSplits; splits++)
            {
                if (splits > 1 && (splits * LeastSteps > Parts(depth, tile.Depth) || !tile.HasRoom(rows, columns, splits))) break;
                double time = tile.WgmmaMicroseconds(rows, columns, depth, splits, multiProcessors);
                if (time < least) (best, least) = (tile with { Splits = splits }, time);
            }
        return (best, least);
    }

    /// <summary>The narrow tile that takes the least time.</summary>
    private static (TensorTile Tile, double Microseconds) ForFew(int rows, int columns, int depth, int multiProcessors)
    {
        (TensorTile best, double least) = (default, double.MaxValue);
        foreach (TensorTile tile in rows <= Low[0].Rows ? Low : High)
            for (int splits = 1; splits <= MostSplits; splits++)
            {
                int steps = Parts(depth, tile.Depth), share = Math.Max(1, Parts(steps, splits));
                if (splits > 1 && (Parts(steps, share) != splits || tile.Count(rows, columns) > MostSplitTiles || !tile.HasRoom(rows, columns, splits))) continue;
                double time = tile.NarrowMicroseconds(rows, columns, share, splits, multiProcessors);
                if (time < least) (best, least) = (tile with { Splits = splits }, time);
            }
        return (best, least);
    }

    /// <summary>
    /// As measured on an H100: weights at 3 TB/s, slower with less than 4 MB of them on their way, and x, which every block reads, at 5 TB/s; or the steps one
    /// after the other at 0.12 µs. The parts of a split tile take some more to be left and added up.
    /// </summary>
    private double NarrowMicroseconds(int rows, int columns, int share, int splits, int multiProcessors)
    {
        const double WeightsAMicrosecond = 3e6, XAMicrosecond = 5e6, Enough = 4e6, Step = 0.12, Left = 1.2, Added = 0.08;
        int blocks = Count(rows, columns) * splits, atOnce = Math.Min(blocks, 2 * multiProcessors);
        double column = Depth * sizeof(ushort), ahead = atOnce * Columns * column * Math.Min(share, Stages - 1), all = (double)blocks * share * column;
        double read = all * Columns / WeightsAMicrosecond * Math.Max(1, Enough / ahead) + all * Math.Min(rows, Rows) / XAMicrosecond, steps = Parts(blocks, atOnce) * share * Step;
        return Math.Max(read, steps) + (splits == 1 ? 0 : Left + Added * splits * Columns / 64);
    }

    /// <summary>As measured on an H100: 0.46 µs a step of 64 by 128 columns and 0.83 by 256, less a product where parts of x share the weights (128 columns; 160 take a third more, and pay where they leave fewer rounds), a few a tile, and what the parts' memory and their sum take.</summary>
    private double WgmmaMicroseconds(int rows, int columns, int depth, int splits, int multiProcessors)
    {
        double step = XParts > 1 ? (Columns == 160 ? 0.507 : 0.385) * new HalfParts(XParts, WParts).Products : Columns == 256 ? 0.83 : 0.46, tile = Columns == 256 ? 4 : 2.5 * Columns / 128;
        int rounds = Parts(Count(rows, columns) * splits, multiProcessors), steps = Parts(Parts(depth, Depth), splits);
        double sum = splits == 1 ? 0 : 3 + (double)rows * columns * (2 * splits + 1) * sizeof(float) / 2.5e6;
        return rounds * (steps * step + tile) + sum;
    }

    private bool HasRoom(int rows, int columns, int splits) => (long)splits * Parts(rows, Rows) * Rows * (columns + 3) <= MostParts;

    private int Count(int rows, int columns) => Parts(rows, Rows) * Parts(columns, Columns);
}
