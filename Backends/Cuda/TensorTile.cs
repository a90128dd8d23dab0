using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>How a product of many rows is cut into tiles for tensor cores: the kernels of matmul_tensor.h and matmul_wgmma.h.</summary>
/// <param name="Rows">Rows of a tile.</param>
/// <param name="Columns">Outputs of a tile.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="Depth">Columns of x that come at a time.</param>
/// <param name="Stages">How many of those are on their way or in use.</param>
/// <param name="IsWgmma">Whether it is a tile of compute capability 9.0, of which a multiprocessor has one at a time.</param>
/// <param name="Splits">Parts of the inner dimension, added up by a second kernel where there are several.</param>
internal readonly record struct TensorTile(int Rows, int Columns, int Threads, int Depth, int Stages, bool IsWgmma, int Splits = 1)
{
    /// <summary>Floats that the parts of a split product take at most.</summary>
    public const long MostParts = 4 << 20;

    /// <summary>Inner dimensions up to this are no work for the large tiles: what counts is to write the outputs, by many blocks.</summary>
    private const int Shallow = 64;

    private const int MostSplits = 12, LeastSteps = 4, Padding = 8;

    private static readonly TensorTile Small = new(32, 64, 128, 64, 4, false), Middle = new(64, 64, 128, 64, 3, false), Large = new(128, 128, 256, 32, 4, false);

    private static readonly TensorTile Narrow = new(128, 128, 384, 64, 5, true), Wide = new(128, 256, 384, 64, 4, true);

    /// <summary>Shared memory of a block.</summary>
    public int SharedBytes => IsWgmma
        ? 1024 + Stages * ((Rows + Columns) * Depth * sizeof(ushort) + 2 * sizeof(ulong))   // tiles lie on a multiple of 1,024; two barriers each
        : (Rows + Columns) * (Depth + Padding) * Stages * sizeof(ushort);

    /// <summary>The tile, and in how many parts the inner dimension, that take the least time.</summary>
    /// <param name="rows">Rows of the product.</param>
    /// <param name="columns">Its outputs.</param>
    /// <param name="depth">Its inner dimension.</param>
    /// <param name="multiProcessors">Multiprocessors of the device.</param>
    /// <param name="wgmma">Whether tiles of compute capability 9.0 can be used.</param>
    public static TensorTile For(int rows, int columns, int depth, int multiProcessors, bool wgmma)
    {
        if (depth <= Shallow) return rows > Middle.Rows / 2 ? Middle : Small;
        if (!wgmma || rows <= Middle.Rows) return ForMma(rows, columns, depth, multiProcessors);
        (TensorTile best, double least) = (Narrow, double.MaxValue);
        foreach (TensorTile tile in new[] { Narrow, Wide })
            for (int splits = 1; splits <= MostSplits; splits++)
            {
                if (splits > 1 && (splits * LeastSteps > Parts(depth, tile.Depth) || !tile.HasRoom(rows, columns, splits))) break;
                double time = tile.Microseconds(rows, columns, depth, splits, multiProcessors);
                if (time < least) (best, least) = (tile with { Splits = splits }, time);
            }
        return best;
    }

    /// <summary>The largest tiles of which there are enough for every multiprocessor: they read the least. Where even the small ones are too few, the inner dimension is split.</summary>
    private static TensorTile ForMma(int rows, int columns, int depth, int multiProcessors)
    {
        foreach (TensorTile tile in new[] { Large, Middle })
            if (rows > tile.Rows / 2 && tile.Count(rows, columns) >= multiProcessors * 3 / 4) return tile;
        int steps = Parts(depth, Small.Depth), splits = Math.Min(Parts(2 * multiProcessors, Small.Count(rows, columns)), steps / LeastSteps);
        while (splits > 1 && !Small.HasRoom(rows, columns, splits)) splits--;
        return Small with { Splits = splits < 2 ? 1 : Parts(steps, Parts(steps, splits)) };   // none without steps
    }

    /// <summary>As measured on an H100: 0.46 µs a step of 64 by 128 columns and 0.83 by 256, a few a tile, and what the parts' memory and their sum take.</summary>
    private double Microseconds(int rows, int columns, int depth, int splits, int multiProcessors)
    {
        double step = Columns == 256 ? 0.83 : 0.46, tile = Columns == 256 ? 4 : 2.5;
        int rounds = Parts(Count(rows, columns) * splits, multiProcessors), steps = Parts(Parts(depth, Depth), splits);
        double sum = splits == 1 ? 0 : 3 + (double)rows * columns * (2 * splits + 1) * sizeof(float) / 2.5e6;
        return rounds * (steps * step + tile) + sum;
    }

    private bool HasRoom(int rows, int columns, int splits) => (long)splits * Parts(rows, Rows) * Rows * (columns + 1) <= MostParts;

    private int Count(int rows, int columns) => Parts(rows, Rows) * Parts(columns, Columns);
}
