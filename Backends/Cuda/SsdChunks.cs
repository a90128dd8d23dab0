namespace MambaRT.Backends.Cuda;

/// <summary>SsdScan of many rows as products of matrices on tensor cores (ssd_chunks.h): which ops go that way, and the room that they need for B and C and the times of heads.</summary>
/// <remarks>
/// Floats are sums of two BF16 values there, 16 bits: up to 1.7e-5 of a model's largest logit. So that is for models whose products round x to 16 bits or less
/// anyway; for weights in F32 and cuda:exact they are sums of two F16 values, 22 bits, brought to the range of these.
/// </remarks>
internal sealed class SsdChunks : IDisposable
{
    /// <summary>Rows of a chunk. With fewer a sequence on average, the scan that takes one row after the other is faster.</summary>
    public const int Rows = 64;

    /// <summary>Channels and threads of a block of the second kernel; what a block of the first has of a chunk, its threads, and the heads of which others of its blocks have the times of a chunk.</summary>
    public const int Channels = 32, Threads = 512, PairsOfChunk = 4, PairThreads = 128, TimesOfBlock = 4;

    private const int MostStates = 128, Padding = 8, Parts = 4;

    private readonly CudaDeviceMemory? _memory;
    private readonly long _pairs, _back, _times;

    public SsdChunks(CudaModel model, DeviceWeights weights, BatchShape shape)
    {
        Plan plan = model.Plan;
        KernelLibrary kernels = model.Kernels;
        if (shape.Tokens < Rows || !model.HasTensorCores) return;
        IsExact = model.IsExact || MultipliesFloats(plan, weights);
        long parts = 0, pairs = 0, back = 0, times = 0;
        foreach (Op op in plan.Ops)
        {
            if (op is not SsdScanOp ssd || !CanTake(ssd, kernels)) continue;
            parts = Math.Max(parts, PartBytes(ssd) * shape.Tokens);
            pairs = Math.Max(pairs, PairBytes(ssd) * shape.Tokens);
            back = Math.Max(back, BackBytes(ssd) * shape.Tokens);
            times = Math.Max(times, TimeBytes(ssd) * shape.Tokens);
        }
        if (parts == 0) return;
        (_pairs, _times, _back) = (parts, parts + pairs, parts + pairs + times);
        _memory = new CudaDeviceMemory(_back + back, $"B and C of {shape.Tokens} rows in 16 bits");
        Tokens = shape.Tokens;
    }

    public long Bytes => _memory?.Bytes ?? 0;

    /// <summary>Rows at most, which the times of a head are apart.</summary>
    public int Tokens { get; }

    /// <summary>The halves of B and C, a row and group after the other.</summary>
    public ulong PartsAddress => _memory?.Address ?? 0;

    /// <summary>Their products within a chunk.</summary>
    public ulong PairsAddress => PartsAddress + (ulong)_pairs;

    /// <summary>How time goes by in each head, row after row.</summary>
    public ulong TimesAddress => PartsAddress + (ulong)_times;

    /// <summary>What leads back from B and C, where they are brought to the range of their halves.</summary>
    public ulong BackAddress => PartsAddress + (ulong)_back;

    /// <summary>Whether floats keep 22 bits.</summary>
    public bool IsExact { get; }

    /// <summary>The module with the kernels.</summary>
    public static string Module(bool exact) => exact ? "ssd_exact" : "ssd_chunks";

    /// <summary>The name of one of them for an op.</summary>
    public string Kernel(string part, SsdScanOp op) => $"{(IsExact ? "ssd_exact" : "ssd")}_{part}_{StatesOf(op)}";

    /// <summary>Whether an op goes this way where a batch has enough rows: a device of 8.0 or later with as much shared memory.</summary>
    public static bool CanTake(SsdScanOp op, KernelLibrary kernels) => op.DState <= MostStates && kernels.Capability >= 80 && SharedBytes(op) <= kernels.MostSharedBytes;

    /// <summary>Whether it does in batches of a bucket.</summary>
    public bool Takes(SsdScanOp op, KernelLibrary kernels, Bucket bucket) => _memory is not null && CanTake(op, kernels) && bucket.Rows >= Rows * (long)bucket.Sequences;

    /// <summary>States a channel that kernels are there for.</summary>
    private static int StatesOf(SsdScanOp op) => op.DState <= 64 ? 64 : MostStates;

    /// <summary>Bytes for a row at most.</summary>
    public static long BytesOfRow(SsdScanOp op) => op.DState <= MostStates ? PartBytes(op) + PairBytes(op) + TimeBytes(op) + BackBytes(op) : 0;

    /// <summary>Shared memory of a block of the second kernel: two stages of a chunk, and two of the state.</summary>
    public static int SharedBytes(SsdScanOp op)
    {
        const int Slices = 4;
        int row = StatesOf(op) + Padding, numbers = 5 * Rows * sizeof(float) + 16, powers = 2 * (Rows + Slices) * sizeof(float);
        int stage = Parts * Rows * (row + Channels + Padding) * sizeof(ushort) + numbers;
        return 2 * stage + 2 * 2 * Channels * row * sizeof(ushort) + powers;
    }

    public void Dispose() => _memory?.Dispose();

    /// <summary>Whether a plan's large products are of weights in F32.</summary>
    private static bool MultipliesFloats(Plan plan, DeviceWeights weights)
    {
        foreach (Op op in plan.Ops)
            if (op is LinearOp linear && plan.Weights[linear.Weight.Index].Role is (WeightRole.In or WeightRole.Out) && weights.FormOf(linear.Weight).Kernels == "F32") return true;
        return false;
    }

    private static long PartBytes(SsdScanOp op) => (long)op.NGroups * Parts * StatesOf(op) * sizeof(ushort);

    private static long TimeBytes(SsdScanOp op) => (long)op.NHeads * 4 * sizeof(float);

    private static long BackBytes(SsdScanOp op) => (long)op.NGroups * 2 * sizeof(float);

    private static long PairBytes(SsdScanOp op) => (long)op.NGroups * Rows * sizeof(float);
}
