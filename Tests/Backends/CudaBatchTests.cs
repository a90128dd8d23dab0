using System.Runtime.InteropServices;
using MambaRT.Backends.Cuda;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Steps of many sequences, of which the cuda backend has kernels of their own: whole layers, in slots of any order, some of them copies of others.</summary>
public sealed class CudaBatchTests
{
    private const int Steps = 3;

    /// <summary>Counts around what blocks and tiles take at once, and those that a few layers run with too.</summary>
    private static readonly int[] Counts = [9, 32, 33], ManyCounts = [64, 70, 256];

    /// <summary>A layer: Mamba-1's dt of so many columns with or without norms of dt, B and C, or Mamba-2's groups.</summary>
    /// <param name="Inner">Channels.</param>
    /// <param name="Rank">Columns of dt; 0 for Mamba-2.</param>
    /// <param name="States">States a channel.</param>
    /// <param name="Normed">Whether dt, B and C are normed.</param>
    /// <param name="Groups">Groups of B and C.</param>
    /// <param name="Taps">Of the convolution.</param>
    /// <param name="Scale">Of every product.</param>
    private sealed record Layer(int Inner, int Rank, int States, bool Normed = false, int Groups = 1, int Taps = 4, float Scale = 1)
    {
        /// <summary>Columns of the residual; no part of the text that numbers are drawn for.</summary>
        internal int Width { get; init; } = 64;

        public string Name { get; } = $"inner={Inner} rank={Rank} states={States}{(Scale != 1 ? " scaled" : "")}";
    }

    private static readonly Layer[] AllLayers =
    [
        new(128, 24, 16), new(160, 144, 16, Normed: true), new(128, 8, 16, Taps: 3), new(96, 5, 16), new(96, 16, 8), new(8, 8, 16), new(128, 24, 16, Scale: 0.8f),
        new(128, 0, 32), new(128, 0, 64, Groups: 2), new(96, 0, 20, Groups: 3),
    ];

    /// <summary>By name, so that each can be run alone.</summary>
    public static TheoryData<string, string> Layers
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (Layer layer in AllLayers)
                foreach (string type in new[] { "F16", "BF16", "Q8_0", "F32" })
                    if (layer is { Rank: 0 or 24 } || type == "F16") rows.Add(layer.Name, type);
            return rows;
        }
    }

    [MachineTheory(Needs.Cuda)]
    [MemberData(nameof(Layers))]
    public void Step_OfManySequences_EqualsTheReference(string name, string type)
    {
        Layer layer = Named(name);
        if (layer.Scale != 1) CheckRuns(layer, type, 3, (_, _) => 1);
        foreach (int count in layer is { Inner: 128, Rank: 24, Scale: 1 } or { Rank: 0, States: 64 } && type == "F16" ? Counts.Concat(ManyCounts) : Counts)
            CheckRuns(layer, type, count, (_, _) => 1);
    }

    /// <summary>The kernels of a step, whose warps share out rows of 1,200 columns by pieces: one each of two sequences, several of eight. Nothing is rounded.</summary>
    [MachineTheory(Needs.Cuda)]
    [InlineData(2)]
    [InlineData(8)]
    public void Step_OfFewSequencesOfAWideLayer_EqualsTheReferenceExactly(int count) => CheckRuns(new Layer(1200, 24, 16), "F16", count, (_, _) => 1, 1e-10);

    /// <summary>Layers of which some products fill the emulated device with blocks of 64 outputs, of all columns or of some, and their convolution with them.</summary>
    private static readonly Layer[] FullLayers =
    [
        new(2040, 24, 16) { Width = 128 }, new(128, 24, 16) { Width = 1496 }, new(64, 24, 16, Scale: 0.8f) { Width = 2024 }, new(64, 0, 60) { Width = 1016 },
    ];

    [MachineTheory(Needs.Cuda)]
    [InlineData("F16", 16)]
    [InlineData("F16", 32)]
    [InlineData("BF16", 20)]
    public void Step_OfLayersThatFillTheDevice_EqualsTheReference(string type, int count)
    {
        foreach (Layer layer in FullLayers) CheckRuns(layer, type, count, (_, _) => 1);
    }

    /// <summary>Layers whose products go by boxes (batch_boxes.h) on a device of many multiprocessors: outputs and columns that fill no box, columns shared by blocks, more boxes than a ring has, two blocks a multiprocessor.</summary>
    private static readonly Layer[] BoxedLayers = [new(2040, 24, 16) { Width = 1000 }, new(2112, 0, 64) { Width = 1000 }, new(4224, 0, 32) { Width = 200 }, new(1024, 0, 64) { Width = 1000 }];

    [MachineTheory(Needs.CudaDevice)]
    [InlineData("F16", 9)]
    [InlineData("F16", 16)]
    [InlineData("F16", 32)]
    [InlineData("BF16", 20)]
    public void Step_OfLayersThatFillALargeDevice_EqualsTheReference(string type, int count)
    {
        foreach (Layer layer in BoxedLayers) CheckRuns(layer, type, count, (_, _) => 1);
    }

    /// <summary>Most products of layers fill half of an H100 with blocks by boxes; x_proj does not. Where there are more blocks than multiprocessors, two lie on one, and a ring takes half the room.</summary>
    [Theory]
    [InlineData(8192, 2048, 1, 10)]
    [InlineData(2048, 4096, 4, 10)]
    [InlineData(160, 4096, 0, 0)]
    [InlineData(10240, 2560, 1, 7)]
    [InlineData(8512, 2048, 1, 7)]
    [InlineData(3072, 768, 2, 10)]
    [InlineData(768, 1536, 6, 10)]
    [InlineData(80, 1536, 0, 0)]
    [InlineData(4484, 1000, 1, 10)]
    public void Shape_OfAStepByBoxes_FillsTheDevice(int outputs, int depth, int splits, int stages)
    {
        BatchStepShape? shape = BatchStepShape.ByBoxes(32, outputs, depth, 132, 227 << 10);
        Assert.Equal((splits, stages), (shape?.Splits ?? 0, shape?.Stages ?? 0));
        Assert.Null(BatchStepShape.ByBoxes(33, outputs, depth, 132, 227 << 10));
    }

    /// <summary>in_proj and out_proj of mamba-1.4b on an H100 take one round of blocks that leaves little idle; those of mamba-130m, 370m, 790m and 2.8b do not.</summary>
    [Theory]
    [InlineData(8192, 2048, 1)]
    [InlineData(2048, 4096, 4)]
    [InlineData(160, 4096, 0)]
    [InlineData(3072, 768, 0)]
    [InlineData(768, 1536, 0)]
    [InlineData(4096, 1024, 0)]
    [InlineData(1024, 2048, 0)]
    [InlineData(6144, 1536, 0)]
    [InlineData(1536, 3072, 0)]
    [InlineData(10240, 2560, 0)]
    [InlineData(2560, 5120, 0)]
    public void Shape_OfABatchStep_FillsTheDevice(int outputs, int depth, int splits) =>
        Assert.Equal(splits, BatchStepShape.For(32, outputs, depth, 132, 227 << 10)?.Splits ?? 0);

    /// <summary>Prompts beside continued ones, of rows that fill no tile and rows that fill some, and of fewer than a convolution looks back; together so many that scans go by chunks.</summary>
    [MachineTheory(Needs.Cuda)]
    [MemberData(nameof(Layers))]
    public void Rows_OfSomeSequences_EqualTheReference(string name, string type) =>
        CheckRuns(Named(name), type, 4, (sequence, step) => ((sequence + step) % 4) switch { 0 => 197, 1 => 2, 2 => 64, _ => 9 });

    private static Layer Named(string name) => AllLayers.Single(l => l.Name == name);

    private static void CheckRuns(Layer layer, string type, int count, Func<int, int, int> rows, double? most = null)
    {
        // Of the mean square, as in OpBounds, for four products one after the other and what a scan makes of them.
        double bound = most ?? type switch { "F16" => 4e-7, "BF16" => 2e-5, "Q8_0" => 2e-3, _ => 1e-10 };
        using PreparedCase prepared = Define(layer, QuantTypes.ByName(type)!);
        Result expected = Run(TestBackends.Reference, prepared, count, rows), got = Run("cuda", prepared, count, rows);
        Check($"{layer}, {type}, {count} sequences, output", expected.Logits, got.Logits, bound);
        foreach (StateSpec spec in prepared.Plan.States.Entries)
            Check($"{layer}, {type}, {count} sequences, state '{spec.Name}'", Values(expected, spec), Values(got, spec), bound);

        static float[] Values(Result result, StateSpec spec) => [.. result.States.SelectMany(s => s[(int)spec.CanonicalOffset..(int)(spec.CanonicalOffset + spec.Count)])];
    }

    /// <summary>Holds all values together to a bound, and each by itself beside its own size: a state is a product of three, a few of which are many times as large as most.</summary>
    private static void Check(string subject, float[] expected, float[] got, double bound)
    {
        const double WorstDeviations = 12;
        Assert.Equal(expected.Length, got.Length);
        double errors = 0, squares = 0, worst = 0, typical = Math.Sqrt(expected.Average(v => (double)v * v));
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)expected[i] - got[i]);
            if (double.IsNaN(difference)) difference = double.PositiveInfinity;
            errors += difference * difference;
            squares += (double)expected[i] * expected[i];
            worst = Math.Max(worst, difference / (typical + Math.Abs(expected[i])));
        }
        Assert.True(errors <= bound * squares, $"{subject}: error {errors / squares:g3}, {bound:g3} is allowed.");
        Assert.True(worst <= WorstDeviations * Math.Sqrt(bound), $"{subject}: a value errs by {worst:g3} of itself and what is typical.");
    }

    [Theory]
    [InlineData(9)]
    [InlineData(33)]
    [InlineData(64)]
    public void Tile_OfFewRows_SharesTheInnerDimensionOutWithoutRest(int rows)
    {
        const int SharedOfMultiprocessor = 227 << 10, SharedOfSystem = 1 << 10;
        foreach (int depth in new[] { 8, 48, 768, 1536, 4096, 5120 })
            foreach (int outputs in new[] { 1, 80, 160, 768, 3352, 10240, 256000 })
                foreach (int multiProcessors in new[] { 4, 40, 132 })
                {
                    TensorTile tile = TensorTile.For(new HalfParts(1, 1), rows, outputs, depth, multiProcessors, wgmma: true);
                    int steps = (depth + tile.Depth - 1) / tile.Depth, share = (steps + tile.Splits - 1) / tile.Splits;
                    Assert.True(tile.IsNarrow && tile.Rows >= rows, $"{tile} for {rows} rows");
                    Assert.True((tile.Splits - 1) * share < steps, $"{tile} leaves a block without work of {steps} steps");
                    Assert.True(2 * (tile.SharedBytes + SharedOfSystem) <= SharedOfMultiprocessor, $"{tile}: two blocks have no room on a multiprocessor");
                    Assert.True(4 * tile.Rows * (tile.Columns + 4) * sizeof(float) <= tile.SharedBytes, $"{tile}: the sums of its warps have no room");
                    if (tile.Splits > 1) Assert.True((long)tile.Splits * tile.Rows * ((outputs + 3) / 4 * 4) <= TensorTile.MostParts, $"{tile}: its parts have no room");
                }
    }

    /// <summary>For each way to split factors there is a tile, which a multiprocessor has room for.</summary>
    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    [InlineData("BF16")]
    public void Tile_OfFactorsInParts_HasRoomOnAMultiprocessor(string form)
    {
        const int MostOfWgmma = 227 << 10, MostOfOlder = 99 << 10;
        HalfParts parts = HalfParts.For(new WeightForm(form, WeightLayout.AsStored), exact: true);
        Assert.True(parts.AreSeveral);
        foreach (bool wgmma in new[] { false, true })
            foreach (int depth in new[] { 8, 48, 768, 5120 })
            {
                TensorTile tile = TensorTile.For(parts, 2048, 80, depth, 132, wgmma);
                Assert.Equal((parts.X, parts.W, wgmma), (tile.XParts, tile.WParts, tile.IsWgmma));
                Assert.True(tile.SharedBytes <= (wgmma ? MostOfWgmma : MostOfOlder), $"{tile} needs {tile.SharedBytes} bytes");
                if (tile.Splits > 1) Assert.True((long)tile.Splits * 2048 * 80 <= TensorTile.MostParts, $"{tile}: its parts have no room");
            }
    }

    /// <summary>As in_proj of mamba2-1.3b and mamba-130m: 16 by 34 tiles are four rounds of 132 and a few, 16 by 24 are three; of x in parts 16 by 67 are eight and a few.</summary>
    [Theory]
    [InlineData(8512, 2048, 8448)]
    [InlineData(3072, 768, 3072)]
    [InlineData(80, 1536, 80)]
    public void Product_OfAFewOutputsBeyondWholeRounds_LeavesThemToASecondLaunch(int outputs, int depth, int first)
    {
        int First(int x, int w, bool wgmma) => TensorTile.FirstOutputs(new HalfParts(x, w), 2048, outputs, depth, 132, wgmma);
        Assert.Equal(first, First(1, 1, wgmma: true));
        Assert.Equal(outputs, First(1, 1, wgmma: false));
        Assert.Equal(outputs, First(2, 2, wgmma: true));
    }

    /// <summary>out_proj and in_proj of mamba-2.8b on an H100: wider tiles where they leave two rounds of three, not where they leave eight of ten.</summary>
    [Theory]
    [InlineData(2560, 5120, 160)]
    [InlineData(10240, 2560, 128)]
    public void Tile_OfAnExactProduct_TakesTheLeastTime(int outputs, int depth, int expected) =>
        Assert.Equal(expected, TensorTile.For(new HalfParts(2, 1), 2048, outputs, depth, 132, wgmma: true).Columns);

    private sealed record Result(float[] Logits, float[][] States);

    /// <summary>Slots run down by two, and before the last step each third one becomes a copy of the one before it.</summary>
    private static Result Run(string name, PreparedCase prepared, int count, Func<int, int, int> rows)
    {
        using IBackend backend = TestBackends.Create(name);
        using ILoadedModel model = backend.Load(prepared.Plan, prepared.Weights, new LoadOptions { Slots = 2 * count });
        int Slot(int sequence) => 2 * (count - sequence) - 1;
        for (int s = 0; s < count; s++) model.ClearSlot(Slot(s));
        int most = Enumerable.Range(0, Steps).Max(t => Enumerable.Range(0, count).Sum(s => rows(s, t)));
        using IExecutable executable = model.Compile(new BatchShape(most, count, count));
        var logits = new List<float>();
        var positions = new long[count];
        for (int t = 0; t < Steps; t++)
        {
            if (t == Steps - 1)
                for (int s = 3; s < count; s += 3)
                {
                    model.CopySlot(Slot(s - 1), Slot(s), positions[s - 1]);
                    positions[s] = positions[s - 1];
                }
            var tokens = new List<int>();
            var spans = new List<SequenceSpan>();
            for (int s = 0; s < count; s++)
            {
                spans.Add(new SequenceSpan(Slot(s), positions[s], tokens.Count, rows(s, t), OutputRows.Last));
                for (int i = 0; i < rows(s, t); i++) tokens.Add(BatchCut.Token(s, (int)positions[s]++));
            }
            logits.AddRange(executable.Await(executable.Start(new Batch { Tokens = tokens.ToArray(), Sequences = spans.ToArray() })).Logits);
        }
        return new Result([.. logits], [.. Enumerable.Range(0, count).Select(s => Export(model, prepared.Plan, Slot(s), positions[s]))]);
    }

    private static float[] Export(ILoadedModel model, Plan plan, int slot, long position)
    {
        var canonical = new MemoryStream(new byte[plan.States.Bytes(position)]);
        model.ExportSlot(slot, position, canonical);
        return MemoryMarshal.Cast<byte, float>(canonical.ToArray()).ToArray();
    }

    private static PreparedCase Define(Layer layer, QuantType type)
    {
        var b = new CaseBuilder($"{layer} {type}");
        var random = new Random(layer.Inner + layer.Rank);
        PlanBuilder plan = b.Plan;
        Activation Linear(string name, Activation x, QuantType stored, int rows, Activation? addTo = null)
        {
            int columns = x.Width;
            float scale = 1.5f / MathF.Sqrt(columns);   // outputs as large as inputs
            b.Weights.Add(name, stored, rows, columns, [.. Enumerable.Range(0, rows * columns).Select(_ => scale * (2 * random.NextSingle() - 1))]);
            return plan.Linear(name, x, plan.Matrix(name, rows, columns, WeightRole.In), null, addTo, layer.Scale);
        }
        Activation residual = b.Input(layer.Width);
        Activation x = plan.RmsNorm("norm", residual, b.Vector("norm.weight", layer.Width, 0.5f, 1.5f), 1e-5f), y;
        if (layer.Rank > 0)
        {
            Activation xz = Linear("in", x, type, 2 * layer.Inner);
            Activation u = Conv(xz.Columns(0, layer.Inner));
            Activation all = Linear("x", u, type, layer.Rank + 2 * layer.States);
            Activation dt = all.Columns(0, layer.Rank), B = all.Columns(layer.Rank, layer.States), C = all.Columns(layer.Rank + layer.States, layer.States);
            if (layer.Normed) (dt, B, C) = (plan.RmsNorm("dt_norm", dt, null, 1e-5f), plan.RmsNorm("b_norm", B, null, 1e-5f), plan.RmsNorm("c_norm", C, null, 1e-5f));
            dt = Linear("dt", dt, type.BlockLength == 1 ? type : QuantTypes.F32, layer.Inner);
            y = plan.SelectiveScan("scan", u, dt, B, C, xz.Columns(layer.Inner, layer.Inner), b.Small("A", layer.Inner, layer.States, -4, -0.1f),
                b.Vector("D", layer.Inner, -1, 1), b.Vector("dt_bias", layer.Inner, -3, 0), plan.ScanState("scan", layer.Inner, layer.States));
        }
        else
        {
            int heads = layer.Inner / 16, bc = layer.Groups * layer.States;
            Activation all = Linear("in", x, type, 2 * layer.Inner + 2 * bc + heads);
            Activation xbc = Conv(all.Columns(layer.Inner, layer.Inner + 2 * bc));
            y = plan.SsdScan("scan", xbc.Columns(0, layer.Inner), all.Columns(2 * layer.Inner + 2 * bc, heads), xbc.Columns(layer.Inner, bc), xbc.Columns(layer.Inner + bc, bc),
                b.Vector("A", heads, -4, -0.1f), b.Vector("D", heads, -1, 1), b.Vector("dt_bias", heads, -3, 0), plan.ScanState("scan", layer.Inner, layer.States), layer.Groups);
            y = plan.GatedRmsNorm("gate", y, all.Columns(0, layer.Inner), b.Vector("gate.weight", layer.Inner, 0.5f, 1.5f), layer.Groups, 1e-5f);
        }
        Activation output = Linear("out", y, type, layer.Width, residual);
        Activation rows = plan.RmsNorm("output_norm", plan.SelectOutputs("outputs", output), b.Vector("output_norm.weight", layer.Width, 0.5f, 1.5f), 1e-5f);
        return new PreparedCase(plan.Build(Linear("head", rows, type, CaseBuilder.Tokens)), b.Weights);

        Activation Conv(Activation input) => plan.CausalConv("conv", input, b.Small("taps", input.Width, layer.Taps, -1, 1), b.Vector("taps.bias", input.Width, -1, 1),
            plan.ConvWindow("conv", input.Width, layer.Taps));
    }
}
