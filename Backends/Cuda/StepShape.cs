using static MambaRT.Backends.Cuda.Grid;

namespace MambaRT.Backends.Cuda;

/// <summary>How a product of a step is shared out among blocks and warps.</summary>
/// <param name="Sizes">The kernel's constants.</param>
/// <param name="Blocks">Of the grid.</param>
/// <param name="SharedBytes">Of a block.</param>
/// <param name="IsWhole">Whether all weights of a block come to its shared memory (Shaders/cuda/step_whole.h).</param>
internal readonly record struct StepShape(KernelSizes Sizes, int Blocks, int SharedBytes, bool IsWhole = false)
{
    private const int MostSplit = 16, MostSpans = 4, MostVectors = 5, MostWarps = 16, PieceColumns = 1024;

    /// <summary>What a lane reads at a time, as Shaders/cuda/step_*.h have it: rows of weights a tile, columns a step, steps on their way at most, bytes and registers a step.</summary>
    private readonly record struct Kind(int Rows, int Columns, int Depth, int Bytes, int Registers)
    {
        public static Kind Of(WeightForm form) => form.Kernels switch
        {
            "F16" or "BF16" => new(8, 32, 16, 512, 4),
            "Q8_0" => new(1, 512, 10, 576, 5),
            "Q4_K" => new(1, 1024, 6, 576, 8),
            "Q5_K" => new(1, 1024, 4, 704, 12),
            _ => new(1, 1024, 4, 896, 10),
        };
    }

    public int Threads => Sizes.Warps * 32;

    /// <summary>The module that has the kernel, of its name.</summary>
    public KernelModule Module(WeightForm form) => new($"{(IsWhole ? "whole" : "step")}_{form.Kernels}", Sizes);

    /// <summary>Of all ways to share the work out the quickest by a rough count of cycles; null where none fits.</summary>
    /// <param name="form">Of the weights.</param>
    /// <param name="sizes">What is known: columns, outputs, sequences, what goes before and after.</param>
    /// <param name="multiProcessors">Of the device.</param>
    /// <param name="mostShared">Shared memory of a block.</param>
    public static StepShape? For(WeightForm form, KernelSizes sizes, int multiProcessors, int mostShared)
    {
        StepShape? best = null;
        double least = double.PositiveInfinity;
        if (form.Kernels is "Q4_K" or "Q5_K" or "Q6_K")
        {
            foreach (int rows in (ReadOnlySpan<int>)[4, 8]) TryWhole(form, sizes, rows, multiProcessors, mostShared, ref best, ref least);
            if (best is not null) return best;
        }
        Try(form, sizes, 1, multiProcessors, mostShared, ref best, ref least);
        if (form.IsQuantized)
            foreach (int rows in (ReadOnlySpan<int>)[2, 4]) Try(form, sizes, rows, multiProcessors, mostShared, ref best, ref least);
        return best;
    }

    private static void TryWhole(WeightForm form, KernelSizes sizes, int rows, int multiProcessors, int mostShared, ref StepShape? best, ref double least)
    {
        const int LaneColumns = 64, MostUnits = 4, LeastStored = 11 << 10;   // of less, registers bring as much sooner (measured)
        int step = 32 / rows * LaneColumns, all = Parts(sizes.Columns, step), own = Parts(Parts(sizes.Outputs, rows), multiProcessors);
        for (int split = 1; split <= Math.Min(all, MostSplit); split++)
            for (int units = 1; units <= MostUnits; units++)
            {
                int steps = Parts(all, split), abreast = Parts(own, units), warps = abreast * split, ofBlock = abreast * units * rows;
                if (warps > MostWarps || (split - 1) * steps >= all || sizes.Columns > MostVectors * 128 * warps || (sizes.Taps > 0 && ofBlock > 32 * warps)) continue;
                KernelSizes tried = sizes with { Warps = warps, Split = split, Abreast = abreast, Steps = steps, Units = units, TileRows = rows, Depth = steps, PerRound = 1, Spans = 1, Rounds = units };
                int padded = split * steps * step, stored = ofBlock * (sizes.Columns / 256 * Kind.Of(form).Bytes / 4);
                int shared = stored + padded + padded / 4 + MostWarps * sizeof(ulong) + (ofBlock * split + 2 * warps + 1) * sizeof(float);
                double cycles = WholeCycles(tried, stored);
                if (stored < LeastStored || shared > mostShared || cycles >= least) continue;
                (least, best) = (cycles, new StepShape(tried, Parts(Parts(sizes.Outputs, rows), units * abreast), shared, true));
            }
    }

    /// <summary>What a multiprocessor issues: for each step of a warp, by what it has of x and by row; but a warp's steps wait for themselves; x is brought by all threads.</summary>
    private static double WholeCycles(KernelSizes s, int stored)
    {
        const double BytesACycle = 13, Row = 65, X = 25, Wait = 150, Vector = 60;
        const int Schedulers = 4, WarpColumns = 128;
        double issued = Parts(s.Warps, Schedulers) * s.Steps * (Row * s.Units + X), alone = s.Steps * (Row * s.Units + Wait);
        return stored / BytesACycle + Math.Max(issued, alone) + Vector * Parts(s.Columns, WarpColumns * s.Warps) + 6 * s.Split + 12 * s.Warps;
    }

    private static void Try(WeightForm form, KernelSizes sizes, int rows, int multiProcessors, int mostShared, ref StepShape? best, ref double least)
    {
        Kind kind = Kind.Of(form);
        kind = kind with { Rows = kind.Rows * rows, Columns = kind.Columns / rows };
        int all = Parts(sizes.Columns, kind.Columns), own = Parts(Parts(sizes.Outputs, kind.Rows), multiProcessors);
        foreach (int warps in (ReadOnlySpan<int>)[4, 6, 8, 12, 16])
            for (int split = 1; split <= Math.Min(warps, MostSplit); split++)
                for (int spans = 1; spans <= MostSpans; spans++)
                {
                    int depth = Parts(Parts(all, split), spans), steps = depth * spans, abreast = warps / split, units = Parts(own, abreast);
                    if (warps % split != 0 || depth > kind.Depth || (split - 1) * steps >= all || sizes.Columns > MostVectors * 128 * warps) continue;
                    if (sizes.Taps > 0 && !BringsMuch(sizes)) units = Math.Min(units, warps * 32 / (abreast * kind.Rows * sizes.Sequences));   // a thread an output
                    if (units == 0) continue;
                    for (int atOnce = 1; atOnce <= (spans > 1 ? 1 : Math.Min(units, kind.Depth / depth)); atOnce++)
                    {
                        KernelSizes tried = sizes with
                        {
                            Warps = warps, Split = split, Abreast = abreast, Steps = steps, Units = units, TileRows = kind.Rows,
                            Depth = atOnce * depth, PerRound = atOnce, Spans = spans, Rounds = spans * Parts(units, atOnce),
                        };
                        var shape = new StepShape(tried, Parts(Parts(sizes.Outputs, kind.Rows), units * abreast), Shared(tried, form, kind));
                        double cycles = (BringsMuch(sizes) ? Parts(shape.Blocks, multiProcessors) : 1) * Cycles(tried, kind, form.IsHalf);
                        if (shape.SharedBytes > mostShared || cycles >= least) continue;
                        (least, best) = (cycles, shape);
                    }
                }
    }

    /// <summary>
    /// Whether a block takes long to bring all rows of several sequences, so that rounds of blocks count, and a thread has more outputs than one instead. Where a row is a
    /// warp's single piece it does not: at 130m two blocks of six warps a multiprocessor are kept.
    /// </summary>
    private static bool BringsMuch(KernelSizes s) => s.Sequences > 1 && s.Columns > PieceColumns;

    private static int Shared(KernelSizes s, WeightForm form, Kind kind)
    {
        int padded = s.Split * s.Steps * kind.Columns, row = form.IsHalf ? 4 * padded + (s.Sequences == 1 ? 0 : 16) : padded + padded / 2;
        return s.Sequences * (row + (s.Units * s.Abreast * kind.Rows * s.Split + 1) * sizeof(float)) + s.Warps * 2 * sizeof(float);
    }

    /// <summary>
    /// What a multiprocessor reads, slower with less than 96 KiB on their way (measured: 40 KiB take a fifth longer), and a little where blocks of other kernels,
    /// which ask for their weights meanwhile, find no room beside a block; what a warp does one after the other once x is there; what more warps and
    /// pieces cost at the end; and that warps of 16-bit weights wait for each other where several have the same columns. Weights in
    /// blocks cost instructions, also beyond the last column.
    /// </summary>
    private static double Cycles(KernelSizes s, Kind kind, bool half)
    {
        const double BytesACycle = 13, Enough = 96 << 10, Room = 24 << 10, Meeting = 300, Waste = 0.5;
        double bytes = (double)s.Units * s.Steps * s.Warps * kind.Bytes, ahead = Math.Min(bytes, (double)s.Depth * s.Warps * kind.Bytes);
        double slower = 1 + 0.15 * Math.Max(0, Math.Min(Enough, bytes) / ahead - 1), registers = s.Warps * 32 * (s.Depth * kind.Registers + 48);
        double padded = half ? 1 : 1 + Waste * ((double)s.Split * s.Steps * kind.Columns / s.Columns - 1);
        double crowded = 1 + 0.02 * Math.Max(0, registers / Room - 1);
        return bytes / BytesACycle * slower * crowded * padded + 17.0 * s.Depth + 6 * s.Split + 12 * s.Warps + (half && s.Sequences == 1 && s.Abreast > 1 ? Meeting : 0);
    }
}
