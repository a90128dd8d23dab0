namespace MambaRT.Backends.Vulkan;

/// <summary>How much work a dispatch is, so that no submission keeps a device for as long as a desktop's watchdog waits (2 s on Windows).</summary>
internal static class Workload
{
    /// <summary>
    /// Multiply-adds of a submission at most, a byte of weights counted as two: 8 Gi of them, or 4 GiB read. A device that does 20 G a second and reads 10 GB/s is slower
    /// than any that is in use, and takes less than half a second.
    /// </summary>
    public const long MostOfASubmission = 8L << 30;

    /// <summary>How many times as much a device with cooperative matrices is given at a time: the slowest of them does a thousand times what the above goes by.</summary>
    public const int QuickerByMatrices = 64;

    /// <summary>What a byte of weights counts as, and a state in a step of a scan: an exponential, two products and a sum.</summary>
    private const int OfAByte = 2, OfAState = 8;

    /// <summary>The work of a product.</summary>
    /// <param name="rows">Rows of x.</param>
    /// <param name="part">The rows of the matrix.</param>
    /// <param name="columns">Its columns.</param>
    public static long OfProduct(long rows, (int First, int Count, BufferSlice Data, BufferSlice Scales) part, long columns) =>
        Math.Max(rows * columns * part.Count, (part.Data.Bytes + part.Scales.Bytes) * OfAByte);

    /// <summary>Rows of a matrix that one dispatch multiplies at most.</summary>
    /// <param name="rows">Rows of x.</param>
    /// <param name="columns">Columns of the matrix.</param>
    /// <param name="most">Work of a submission at most.</param>
    public static long MostRows(long rows, long columns, long most) => most / Math.Max(rows * columns, 1);

    /// <summary>The work of another op that yields so many rows.</summary>
    public static long Of(Op op, long rows) => rows * op switch
    {
        SelectiveScanOp scan => (long)scan.U.Width * scan.DState * OfAState,
        SsdScanOp ssd => (long)ssd.X.Width * ssd.DState * OfAState,
        CausalConvOp conv => (long)conv.X.Width * conv.DConv,
        _ => op.Output.Width,
    };
}
