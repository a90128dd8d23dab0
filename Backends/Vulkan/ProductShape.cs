using System.Numerics;

namespace MambaRT.Backends.Vulkan;

/// <summary>How a product of few rows is shared out (linear.comp).</summary>
/// <param name="Unit">Columns that a thread takes at a time.</param>
/// <param name="Tokens">Rows of x that a workgroup takes.</param>
/// <param name="Rows">Rows of the weights that threads share.</param>
/// <param name="Lanes">Those threads.</param>
/// <param name="Depth">Units of a row that a thread has on their way at once.</param>
/// <param name="Chunk">Columns of x in shared memory at a time.</param>
/// <param name="Threads">Threads of a workgroup.</param>
/// <param name="Addends">Partial sums of a workgroup.</param>
/// <param name="Ahead">Fours of x that a thread has on their way at once; 0: nothing is asked for before it is used.</param>
internal readonly record struct ProductShape(int Unit, int Tokens, int Rows, int Lanes, int Depth, int Chunk, int Threads, int Addends, int Ahead)
{
    /// <summary>Rows of x that are multiplied at once at most.</summary>
    public const int MostTokens = 8;

    /// <summary>Threads of a workgroup of many columns.</summary>
    public const int WideThreads = 256;

    private const int LeastLanes = 32, MostLanes = 128, WideColumns = 2048;

    /// <summary>Groups of lanes that keep a large device busy; of one row of x, and where threads have two rows of weights in blocks.</summary>
    private const int Enough = 512, EnoughOfHalves = 2000, EnoughOfBlocks = 4000, EnoughOfPairs = 2000;

    /// <summary>Units that a thread has on their way: of one row of x and many columns fewer, as workgroups go from one group of rows to the next.</summary>
    private const int Halves = 8, HalvesOfMany = 5, Blocks = 6;

    private const int MostAhead = 6;

    /// <summary>Shared memory of a workgroup beyond which too few of them run beside each other, in bytes; one row of x may take more.</summary>
    private const int FewBytes = 16 << 10;

    /// <summary>Bytes of sixteen columns of x that are rounded: with half a scale, and what they come to.</summary>
    private const int RoundedUnit = 16 + sizeof(float) / 2 + sizeof(float);

    /// <summary>Rows of the weights that a workgroup takes.</summary>
    public int RowsOfGroup => Threads / Lanes * Rows;

    /// <summary>Workgroups of a product; of one row of x, all of which is in shared memory, at most so many: each takes every so many groups of rows then, and brings x once for all of these.</summary>
    /// <param name="rows">Rows of the weights.</param>
    /// <param name="columns">Their columns.</param>
    /// <param name="multiprocessors">Of a large device: two workgroups of halves are under way on each, or three of blocks.</param>
    public int Groups(int rows, int columns, int multiprocessors)
    {
        int all = DispatchList.Parts(rows, RowsOfGroup), ofEach = Unit == 8 ? 2 : 3;
        return Tokens == 1 && Chunk >= columns ? Math.Min(all, multiprocessors * ofEach * WideThreads / Threads) : all;
    }

    /// <summary>Shares a product out among the threads of a processor, whose weights come as texels (texels.comp).</summary>
    /// <param name="place">The weights.</param>
    /// <param name="wide">Whether their rows are read sixteen bytes at a time.</param>
    /// <param name="rows">Rows of x.</param>
    /// <param name="subgroup">Threads that add up by themselves.</param>
    public static ProductShape OfTexels(WeightPlace place, bool wide, int rows, int subgroup)
    {
        const int RowsOfOne = 8, RowsOfMany = 4;
        int tokens = Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)rows), MostTokens), lanes = tokens == 1 ? subgroup : Math.Max(LeastLanes, subgroup);
        return new ProductShape(wide && place.Form.IsHalf ? 8 : 16, tokens, Math.Min(tokens == 1 ? RowsOfOne : RowsOfMany, lanes / tokens), lanes, 1, place.Columns, MostLanes, MostLanes / subgroup, 0);
    }

    /// <summary>Shares a product out.</summary>
    /// <param name="place">The weights.</param>
    /// <param name="wide">Whether their rows are read sixteen bytes at a time.</param>
    /// <param name="rows">Rows of x.</param>
    /// <param name="subgroup">Threads that add up by themselves; 1 where none do.</param>
    /// <param name="sharedBytes">Shared memory of a workgroup at most.</param>
    /// <param name="rounds">Whether x is rounded to bytes there.</param>
    /// <param name="narrow">Whether no more threads than a subgroup have to share rows.</param>
    /// <param name="shortly">Whether a thread has one row and asks for nothing ahead: what is unrolled for more takes software long to compile.</param>
    public static ProductShape For(WeightPlace place, bool wide, int rows, int subgroup, int sharedBytes, bool rounds, bool narrow = false, bool shortly = false)
    {
        int unit = wide && place.Form.IsHalf ? 8 : 16, bytesOfUnit = rounds ? RoundedUnit : unit * sizeof(float), tokens = Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)rows), MostTokens);
        int units = DispatchList.Parts(place.Columns, unit), lanes = narrow ? subgroup : Math.Max(LeastLanes, subgroup);
        while (tokens > 1 && tokens * lanes * bytesOfUnit > FewBytes / 2) tokens /= 2;
        int enough = unit == 8 ? EnoughOfHalves : EnoughOfBlocks;
        while (tokens == 1 && lanes < MostLanes && (long)place.Rows * lanes / LeastLanes < enough && units >= 4 * lanes) lanes *= 2;
        bool prefetches = unit == 8 || place.Form.IsQuantized;
        bool many = tokens == 1 && place.Columns >= WideColumns;   // columns, for which larger workgroups were quicker
        int threads = many ? WideThreads : MostLanes, ofThread = tokens > 1 ? 4 : many && unit != 8 ? 2 : 1;
        if (shortly || !prefetches || subgroup == 1 || (long)place.Rows * lanes / LeastLanes / ofThread < (tokens > 1 ? Enough : EnoughOfPairs)) ofThread = 1;
        ofThread = Math.Min(ofThread, Math.Max(1, lanes / tokens));
        int most = unit == 8 ? many ? HalvesOfMany : Halves : many ? Math.Min(Halves, Blocks * lanes / LeastLanes) : Blocks;
        int ahead = prefetches && !shortly ? Math.Max(1, most / ofThread) : 1, addends = threads / subgroup;
        for (int chunks = 1; ; chunks++)
        {
            int chunk = chunks == 1 ? units : DispatchList.Parts(DispatchList.Parts(units, chunks), lanes) * lanes;
            int steps = DispatchList.Parts(chunk, lanes), depth = DispatchList.Parts(steps, DispatchList.Parts(steps, ahead));
            long bytes = (long)tokens * DispatchList.Parts(steps, depth) * depth * lanes * bytesOfUnit + sizeof(float) * addends * (ofThread * tokens + 1);
            if (bytes <= (tokens > 1 ? Math.Min(FewBytes, sharedBytes) : sharedBytes) || chunk <= lanes)
            {
                int turns = DispatchList.Parts(tokens * DispatchList.Parts(steps, depth) * depth * lanes * unit / 4, threads);
                return new ProductShape(unit, tokens, ofThread, lanes, depth, chunk * unit, threads, addends, shortly ? 0 : Math.Min(turns, MostAhead));
            }
        }
    }
}
