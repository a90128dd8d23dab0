using System.Runtime.CompilerServices;

namespace MambaRT.Backends.Vulkan;

/// <summary>Turns the ops of a plan into dispatches for a bucket. What a batch holds is read on the device; a bucket only bounds it.</summary>
internal sealed unsafe class VulkanCompiler(VulkanDevice device, DeviceWeights weights, DeviceSlots slots, ArenaMemory arena, BatchTable table, Bucket bucket) : IScanContract
{
    private const uint TokenRows = 0, OutputRows = 1;

    /// <summary>What shaders take of a value at a time: columns of a thread in embed and linear.</summary>
    private const int Columns = 16;

    /// <summary>The dispatches so far.</summary>
    public List<Dispatch> Dispatches { get; } = [];

    public void Embed(EmbedOp op)
    {
        const int Threads = 64;
        WeightPlace place = weights[op.Table];
        RowsPlace y = arena[op.Output];
        foreach (var part in place.Parts(device, int.MaxValue))
            Add(op, new ShaderKey("embed", FormNumber.Of(place.Form), IsWide(place)), Parts(Parts(place.Columns, Columns), Threads), bucket.Rows,
                new EmbedPush { Table = Pushed(place, part.First, part.Count), To = y.Pushed, Scale = op.Scale },
                [new(1, part.Data), new(2, OrTable(part.Scales)), new(3, y.Memory, BufferAccess.Writes)]);
    }

    public void RmsNorm(RmsNormOp op) => Norm(op, op.X, null, op.Weight, 1, op.Epsilon);

    public void GatedRmsNorm(GatedRmsNormOp op) => Norm(op, op.X, op.Z, op.Weight, op.NGroups, op.Epsilon);

    public void Linear(LinearOp op)
    {
        const int RowsOfGroup = 8, MostTokens = 4, MostDirect = 16, RowsOfTile = 64, TokensOfTile = 32;
        WeightPlace place = weights[op.Weight];
        RowsPlace x = arena[op.X], y = arena[op.Output], residual = op.AddTo is Activation a ? arena[a] : default;
        int rows = Rows(op.X), tokens = rows == 1 ? 1 : MostTokens;
        uint wide = x.IsWide && op.X.Width % Columns == 0 ? 1u : 0;
        bool tiled = rows > MostDirect;
        var shader = new ShaderKey(tiled ? "matmul" : device.UsesSubgroups ? "linear.subgroups" : "linear", FormNumber.Of(place.Form), IsWide(place), (uint)tokens, wide);
        int across = tiled ? RowsOfTile : RowsOfGroup, down = tiled ? TokensOfTile : tokens;
        foreach (var part in place.Parts(device, (long)device.Traits.MostGroups * across))
            Add(op, shader, Parts(part.Count, across), Parts(rows, down),
                new LinearPush
                {
                    Weights = Pushed(place, part.First, part.Count),
                    From = x.Pushed,
                    Residual = residual.Pushed,
                    To = y.Pushed,
                    Scale = op.Scale,
                    Domain = Domain(op.X),
                    HasBias = op.Bias is null ? 0u : 1,
                    Adds = op.AddTo is null ? 0u : 1,
                },
                [new(1, part.Data), new(2, OrTable(part.Scales)), new(3, x.Memory), new(4, OrTable(residual.Memory)), new(5, Vector(op.Bias)), new(6, y.Memory, BufferAccess.Writes)]);
    }

    public void CausalConv(CausalConvOp op)
    {
        const int Threads = 64;
        RowsPlace x = arena[op.X], y = arena[op.Output];
        var push = new ConvPush { From = x.Pushed, To = y.Pushed, Channels = (uint)op.X.Width, TapCount = (uint)op.DConv, HasBias = op.Bias is null ? 0u : 1 };
        BufferBinding read = new(1, x.Memory), taps = new(2, weights.Vector(op.Weight)), bias = new(3, Vector(op.Bias)), written = new(5, y.Memory, BufferAccess.Writes);
        BufferSlice window = slots[op.Window];
        int blocks = Parts(op.X.Width, Threads);
        bool keeps = window.Bytes > 0;   // a convolution of one tap keeps nothing
        BufferBinding changed = new(4, OrTable(window), keeps ? BufferAccess.Reads | BufferAccess.Writes : BufferAccess.Reads);
        Add(op, new ShaderKey("conv", bucket.Single ? 1u : 0), blocks, bucket.Rows, push, [read, taps, bias, changed, written]);
        if (keeps && !bucket.Single) Add(op, new ShaderKey("conv.window"), blocks, bucket.Sequences, push, [read, changed]);
    }

    public void SelectiveScan(SelectiveScanOp op)
    {
        RowsPlace u = arena[op.U], dt = arena[op.Dt], b = arena[op.B], c = arena[op.C], z = arena[op.Z], y = arena[op.Output];
        Scan(op, op.DState, op.U.Width, ssd: false,
            new ScanPush { U = u.Pushed, Dt = dt.Pushed, B = b.Pushed, C = c.Pushed, Z = z.Pushed, To = y.Pushed, Channels = (uint)op.U.Width, HeadDim = 1, HeadsOfGroup = 1 },
            [new(1, u.Memory), new(2, dt.Memory), new(3, b.Memory), new(4, c.Memory), new(5, z.Memory), new(6, weights.Vector(op.A)), new(7, weights.Vector(op.D)),
                new(8, weights.Vector(op.DtBias)), new(9, slots[op.State], BufferAccess.Reads | BufferAccess.Writes), new(10, y.Memory, BufferAccess.Writes)]);
    }

    public void SsdScan(SsdScanOp op)
    {
        RowsPlace x = arena[op.X], dt = arena[op.Dt], b = arena[op.B], c = arena[op.C], y = arena[op.Output];
        Scan(op, op.DState, op.X.Width, ssd: true,
            new ScanPush { U = x.Pushed, Dt = dt.Pushed, B = b.Pushed, C = c.Pushed, To = y.Pushed, Channels = (uint)op.X.Width, HeadDim = (uint)op.HeadDim, HeadsOfGroup = (uint)(op.NHeads / op.NGroups) },
            [new(1, x.Memory), new(2, dt.Memory), new(3, b.Memory), new(4, c.Memory), new(5, x.Memory), new(6, weights.Vector(op.A)), new(7, weights.Vector(op.D)),
                new(8, weights.Vector(op.DtBias)), new(9, slots[op.State], BufferAccess.Reads | BufferAccess.Writes), new(10, y.Memory, BufferAccess.Writes)]);
    }

    public void SelectOutputs(SelectOutputsOp op)
    {
        const int Threads = 64;
        RowsPlace x = arena[op.X], y = arena[op.Output];
        Add(op, new ShaderKey("select"), Parts(op.X.Width, Threads), bucket.Outputs, new SelectPush { From = x.Pushed, To = y.Pushed, Width = (uint)op.X.Width },
            [new(1, x.Memory), new(2, y.Memory, BufferAccess.Writes)]);
    }

    private void Norm(Op op, Activation input, Activation? gate, WeightRef? weight, int groups, float epsilon)
    {
        RowsPlace x = arena[input], z = gate is Activation g ? arena[g] : x, y = arena[op.Output];
        Add(op, new ShaderKey("norm", gate is null ? 0u : 1, weight is null ? 0u : 1), Rows(input), groups,
            new NormPush { From = x.Pushed, Gate = z.Pushed, To = y.Pushed, Width = (uint)(input.Width / groups), Domain = Domain(input), Epsilon = epsilon },
            [new(1, x.Memory), new(2, z.Memory), new(3, Vector(weight)), new(4, y.Memory, BufferAccess.Writes)]);
    }

    /// <summary>Threads share a channel so that each holds a few of its states: all of a small one, for less to add up.</summary>
    private void Scan(Op op, int states, int channels, bool ssd, in ScanPush push, BufferBinding[] bindings)
    {
        const int Threads = 128, StatesOfThread = 8, MostLanes = 32;
        int lanes = 1;
        while (lanes < MostLanes && states > lanes * StatesOfThread) lanes *= 2;
        Add(op, new ShaderKey("scan", ssd ? 1u : 0, (uint)states, (uint)lanes), Parts(channels, Threads / lanes), bucket.Sequences, push, bindings);
    }

    private void Add<TPush>(Op op, ShaderKey shader, long x, long y, in TPush push, ReadOnlySpan<BufferBinding> bindings) where TPush : unmanaged
    {
        if (x == 0 || y == 0) return;
        if (Math.Max(x, y) > device.Traits.MostGroups)
            throw new NotSupportedException($"Op '{op.Name}' takes {Math.Max(x, y)} workgroups in a direction, and {device.Traits.Name} runs up to {device.Traits.MostGroups}; feed smaller chunks.");
        byte[] pushed = new byte[sizeof(TPush)];
        Unsafe.WriteUnaligned(ref pushed[0], push);
        Dispatches.Add(new Dispatch(op.Name, shader, [new BufferBinding(0, table.Device.Whole), .. bindings], pushed, (uint)x, (uint)y));
    }

    private BufferSlice Vector(WeightRef? weight) => weight is WeightRef w ? weights.Vector(w) : table.Device.Whole;

    /// <summary>Where a shader has nothing to read, any memory will do.</summary>
    private BufferSlice OrTable(BufferSlice memory) => memory.Bytes > 0 ? memory : table.Device.Whole;

    /// <summary>Whether rows of floats begin at sixteen bytes and hold whole sixteens of columns.</summary>
    private static uint IsWide(WeightPlace place) => !place.Form.IsQuantized && place.RowBytes % 16 == 0 && place.Columns % Columns == 0 ? 1u : 0;

    private static PushedWeights Pushed(WeightPlace place, int first, int count) =>
        new() { RowBytes = (uint)place.RowBytes, RowScaleBytes = (uint)place.RowScaleBytes, Columns = (uint)place.Columns, First = (uint)first, Count = (uint)count };

    private int Rows(Activation a) => a.Rows == RowDomain.Tokens ? bucket.Rows : bucket.Outputs;

    private static uint Domain(Activation a) => a.Rows == RowDomain.Tokens ? TokenRows : OutputRows;

    private static int Parts(int whole, int part) => (whole + part - 1) / part;
}
