using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>The case table of the scan contract: op × shapes × storage types, each with its bounds.</summary>
/// <remarks>Needs no test framework, so that a bench can time the same cases. A new op or storage type gets its rows here.</remarks>
internal static class OpCases
{
    /// <summary>Tokens that backends may treat together; the cuts go around it.</summary>
    private const int Chunk = 64;

    /// <summary>Rows over several chunks.</summary>
    private const int Chunks = 4 * Chunk + 7;

    private const float Epsilon = 1e-5f;

    private static readonly Bound Exact = new(OpBounds.Exact, "values are copied or decoded, and decoding is defined bit by bit");

    private static readonly Bound Floats = new(OpBounds.Floats,
        "float32 sums of up to 1,552 terms in any order, and vector exponentials, err by about 1e-6 of the result (1e-12 squared); two digits are left for cancellation");

    private static readonly Bound RoundedInputs = new(OpBounds.RoundedInputs,
        "inputs may be rounded to 8 bits per 32 values: a step of max/127 errs by 0.4 % rms of evenly spread inputs, 1.5e-5 squared; six times that where inputs or products are far from even");

    private static readonly Bound HalfInputs = new(OpBounds.HalfInputs,
        "in products of many rows inputs may be rounded to F16, by up to 2^-11: 4e-8 measured over evenly spread inputs; tensor cores add up in float32");

    private static readonly Bound BfloatInputs = new(OpBounds.BfloatInputs,
        "in products of many rows inputs may be rounded to BF16, by up to 2^-8: 64 times the error of F16");

    /// <summary>What an output may err by where the backend rounds activations to the type of their weights.</summary>
    public static Bound OutputBound(OpCase op, bool roundsToHalves) => !roundsToHalves ? op.Output
        : op.Name.StartsWith("linear F16 ", StringComparison.Ordinal) ? HalfInputs
        : op.Name.StartsWith("linear BF16 ", StringComparison.Ordinal) ? BfloatInputs
        : op.Output;

    /// <summary>Every case.</summary>
    public static IReadOnlyList<OpCase> All { get; } =
        [.. Embeds(), .. RmsNorms(), .. Linears(), .. CausalConvs(), .. SelectiveScans(), .. SsdScans(), .. GatedRmsNorms(), .. Selects()];

    /// <summary>The case of this name.</summary>
    public static OpCase ByName(string name) => All.First(c => c.Name == name);

    private static IEnumerable<OpCase> Embeds()
    {
        foreach (QuantType type in QuantTypes.All)
            foreach (int blocks in new[] { 1, 3 })
            {
                int width = type.BlockLength == 1 ? blocks * 111 : blocks * type.BlockLength;
                // A table narrower than the token ids would need a head, which rounds: it takes whole blocks beyond that.
                if (width < CaseBuilder.Tokens) width = CaseBuilder.Tokens;
                yield return Row($"embed {type} width={width}", Exact, b =>
                    b.Plan.Embed("embed", b.Matrix("table", type, CaseBuilder.Tokens, width, WeightRole.Embedding)));
                if (blocks > 1) yield return Row($"embed {type} width={width} scale", Exact, b =>
                    b.Plan.Embed("embed", b.Matrix("table", type, CaseBuilder.Tokens, width, WeightRole.Embedding), scale: 12.3f));
            }
    }

    private static IEnumerable<OpCase> RmsNorms()
    {
        foreach (int width in new[] { 1, 33, 48, 256, 1552 })
            foreach (bool weighted in new[] { true, false })
                yield return Row($"rms_norm width={width} weight={weighted}", Floats, b =>
                    b.Plan.RmsNorm("norm", b.Input(width), weighted ? b.Vector("weight", width, 0.5f, 1.5f) : null, Epsilon));
        yield return Row("rms_norm window of a wider value", Floats, b => b.Plan.RmsNorm("norm", b.Input(150).Columns(37, 48), null, Epsilon));
        yield return Row("rms_norm weighted by a small matrix", Floats, b => b.Plan.RmsNorm("norm", b.Input(48), b.Small("weight", 1, 48, 0.5f, 1.5f), Epsilon));
        yield return Row("rms_norm of zeros", Floats, b => b.Plan.RmsNorm("norm", b.Input(48, 1, (row, _) => row < 32 ? 0 : null), null, Epsilon));
        yield return Row("rms_norm of tiny values", Floats, b => b.Plan.RmsNorm("norm", b.Input(48, 1e-6f), null, 1e-12f));
    }

    private static IEnumerable<OpCase> Linears()
    {
        foreach (QuantType type in QuantTypes.All)
        {
            int[] inputs = type.BlockLength switch { 1 => [1, 33, 48, 256, 1552], 32 => [32, 96, 1536], _ => [256, 1536] };
            Bound bound = type.BlockLength == 1 ? Floats : RoundedInputs;
            foreach (int width in inputs)
                foreach (int outputs in new[] { 1, 33, 48, 256 })
                    yield return Row($"linear {type} in={width} out={outputs}", bound, b =>
                        b.Plan.Linear("linear", b.Input(width), b.Matrix("weight", type, outputs, width)));
            if (type.BlockLength == 256) yield return Row($"linear {type} in=5120 out=33", bound, b => b.Plan.Linear("linear", b.Input(5120), b.Matrix("weight", type, 33, 5120)));
            int columns = inputs[^2];
            yield return Row($"linear {type} in={columns} out=1552 bias", bound, b =>
                b.Plan.Linear("linear", b.Input(columns), b.Matrix("weight", type, 1552, columns), b.Vector("bias", 1552, -1, 1)));
            yield return Row($"linear {type} window in={columns} out=49 bias and addTo", bound, b =>
            {
                Activation input = b.Input(columns + 49 + 3);
                return b.Plan.Linear("linear", input.Columns(3, columns), b.Matrix("weight", type, 49, columns), b.Vector("bias", 49, -1, 1), input.Columns(3 + columns, 49));
            });
            yield return Row($"linear {type} in={columns} out=49 scale", bound, b =>
                b.Plan.Linear("linear", b.Input(columns), b.Matrix("weight", type, 49, columns), scale: -0.22f));
            yield return Row($"linear {type} in={columns} out={columns} scale, bias and addTo", bound, b =>
            {
                Activation residual = b.Input(columns);
                Activation x = b.Plan.RmsNorm("norm", residual, null, Epsilon);
                return b.Plan.Linear("linear", x, b.Matrix("weight", type, columns, columns), b.Vector("bias", columns, -1, 1), residual, scale: 0.22f);
            });
            if (type.Name is "F32" or "F16" or "Q8_0" or "Q4_K" or "Q6_K" or "IQ2_S")   // one of each layout on GPUs
                yield return Row($"linear {type} in={columns} out=49 some columns of a wider matrix", bound, b =>
                    b.Plan.Linear("linear", b.Input(columns), b.MatrixColumns("weight", type, 49, columns)));
            yield return Row($"linear {type} in={columns} out={columns} taking over addTo", bound, b =>
            {
                Activation residual = b.Input(columns);
                Activation x = b.Plan.RmsNorm("norm", residual, null, Epsilon);
                return b.Plan.Linear("linear", x, b.Matrix("weight", type, columns, columns), null, residual);
            });
        }
    }

    private static IEnumerable<OpCase> CausalConvs()
    {
        foreach (int channels in new[] { 7, 48, 1552 })
            foreach (int dConv in new[] { 1, 2, 4, 5 })
                foreach (bool bias in new[] { true, false })
                    yield return Recurrent($"causal_conv channels={channels} taps={dConv} bias={bias}", dConv, b =>
                        b.Plan.CausalConv("conv", b.Input(channels + 5, 2).Columns(5, channels), b.Small("taps", channels, dConv, -1, 1),
                            bias ? b.Vector("bias", channels, -1, 1) : null, b.Plan.ConvWindow("conv", channels, dConv)));
    }

    private static IEnumerable<OpCase> SelectiveScans()
    {
        foreach ((int dInner, int dState) in new[] { (48, 16), (1552, 16), (40, 16), (8, 4), (7, 16), (48, 8), (7, 8), (48, 1), (48, 32), (33, 5), (48, 128), (40, 256), (7, 133) })
            yield return Scan($"selective_scan inner={dInner} state={dState}", dInner, dState, (_, _) => null);
        // From row to row Δ leaps between next to nothing and 80, where exp(Δ·A) vanishes and e^80 is near the end of float32.
        yield return Scan("selective_scan inner=48 state=16 dt=±80", 48, 16, (row, column) => column >= 48 && column < 96 ? (row % 3 - 1) * 80f : null);
        yield return Scan("selective_scan inner=48 state=16 dt=20", 48, 16, (row, column) => column >= 48 && column < 96 ? 19.5f + (row + column) % 9 / 8f : null);
        yield return Scan("selective_scan inner=48 state=16 z=±90", 48, 16, (row, column) => column >= 96 && column < 144 ? ((row + column) % 2 * 2 - 1) * 90f : null);

        static OpCase Scan(string name, int dInner, int dState, Func<int, int, float?> special) => Chunked(name, b =>
        {
            Activation input = b.Input(3 * dInner + 2 * dState, 1.5f, special);
            return b.Plan.SelectiveScan("scan", input.Columns(0, dInner), input.Columns(dInner, dInner),
                input.Columns(3 * dInner, dState), input.Columns(3 * dInner + dState, dState), input.Columns(2 * dInner, dInner),
                b.Small("A", dInner, dState, -8, -0.1f), b.Vector("D", dInner, -1, 1), b.Vector("dt_bias", dInner, -4, 1),
                b.Plan.ScanState("scan", dInner, dState));
        });
    }

    private static IEnumerable<OpCase> SsdScans()
    {
        foreach ((int heads, int headDim, int groups, int dState) in new[]
            { (3, 16, 1, 16), (6, 16, 3, 64), (3, 64, 3, 128), (2, 64, 1, 128), (3, 7, 3, 16), (5, 7, 1, 64), (1, 64, 1, 16), (6, 7, 3, 33), (2, 40, 1, 5) })
            yield return Scan($"ssd_scan heads={heads} dim={headDim} groups={groups} state={dState}", heads, headDim, groups, dState, (_, _) => null);
        yield return Scan("ssd_scan heads=6 dim=16 groups=3 state=16 dt=±80", 6, 16, 3, 16, (row, column) => column >= 96 && column < 102 ? (row % 3 - 1) * 80f : null);

        static OpCase Scan(string name, int heads, int headDim, int groups, int dState, Func<int, int, float?> special) => Chunked(name, b =>
        {
            int width = heads * headDim, bc = groups * dState;
            Activation input = b.Input(width + heads + 2 * bc, 1.5f, special);
            return b.Plan.SsdScan("scan", input.Columns(0, width), input.Columns(width, heads), input.Columns(width + heads, bc), input.Columns(width + heads + bc, bc),
                b.Vector("A", heads, -8, -0.1f), b.Vector("D", heads, -1, 1), b.Vector("dt_bias", heads, -4, 1),
                b.Plan.ScanState("scan", width, dState), groups);
        });
    }

    private static IEnumerable<OpCase> GatedRmsNorms()
    {
        foreach ((int width, int groups) in new[] { (48, 1), (48, 3), (33, 1), (33, 3), (1536, 1), (1536, 3), (1, 1), (1552, 1) })
            yield return Row($"gated_rms_norm width={width} groups={groups}", Floats, b =>
            {
                Activation input = b.Input(2 * width, 3);
                return b.Plan.GatedRmsNorm("gate", input.Columns(0, width), input.Columns(width, width), b.Vector("weight", width, 0.5f, 1.5f), groups, Epsilon);
            });
    }

    private static IEnumerable<OpCase> Selects()
    {
        foreach (int width in new[] { 64, 131 })
            yield return new OpCase($"select_outputs width={width}", Exact, Exact, Recurrences(4), b => b.Input(width));
    }

    /// <summary>A case whose rows have nothing to do with each other: a few are enough.</summary>
    private static OpCase Row(string name, Bound bound, Func<CaseBuilder, Activation> define) => new(name, bound, Exact,
    [
        new BatchCut("1 row", [[new Piece(0, 1)]]),
        new BatchCut("2 rows", [[new Piece(0, 2)]]),
        new BatchCut("13 rows", [[new Piece(0, 13)]]),
        new BatchCut("70 rows", [[new Piece(0, 70)]]),
        new BatchCut("two sequences", [[new Piece(0, 3), new Piece(1, 1)], [new Piece(1, 4), new Piece(0, 1, OutputRows.Last)], [new Piece(0, 2, OutputRows.None), new Piece(1, 2, OutputRows.Last)]]),
    ], define);

    private static OpCase Recurrent(string name, int dConv, Func<CaseBuilder, Activation> define) => new(name, Floats, Floats, Recurrences(dConv), define);

    /// <summary>A recurrence that backends may take by several chunks of rows at once.</summary>
    private static OpCase Chunked(string name, Func<CaseBuilder, Activation> define) => new(name, Floats, Floats,
    [
        .. Recurrences(4),
        new BatchCut("chunks in one", [[new Piece(0, Chunks)]]),
        new BatchCut("chunks in turn", [[new Piece(0, Chunks), new Piece(1, Chunks - 10)], [new Piece(1, Chunk + 3), new Piece(0, 2 * Chunk)]]),
    ], define);

    /// <summary>Cuts around the lengths where code takes another path: one row, the window's length, the chunk's.</summary>
    private static IReadOnlyList<BatchCut> Recurrences(int dConv)
    {
        var cuts = new List<BatchCut>();
        foreach (int length in new SortedSet<int> { 1, 2, Math.Max(1, dConv - 1), dConv, Chunk - 1, Chunk, Chunk + 1 })
            cuts.Add(new BatchCut($"{length} in one", [[new Piece(0, length)]]));
        cuts.Add(new BatchCut("one by one", [.. Enumerable.Range(0, 9).Select(_ => new[] { new Piece(0, 1) })]));
        cuts.Add(new BatchCut("two sequences in turn", [[new Piece(0, 1)], [new Piece(1, 2)], [new Piece(0, 3)], [new Piece(1, 1)], [new Piece(0, 2)], [new Piece(1, 5)]]));
        cuts.Add(new BatchCut("two sequences at once",
        [
            [new Piece(0, 1), new Piece(1, 1)], [new Piece(1, 2), new Piece(0, Chunk + 1)], [new Piece(0, 3), new Piece(1, Chunk - 1)], [new Piece(1, 1), new Piece(0, 1)],
        ]));
        cuts.Add(new BatchCut("begins where sixteen rows end", [[new Piece(0, 15), new Piece(1, 20)], [new Piece(1, 14), new Piece(0, 5)], [new Piece(0, 15), new Piece(1, 2)]]));
        cuts.Add(new BatchCut("few rows wanted",
        [
            [new Piece(0, 5, OutputRows.None)], [new Piece(1, 3, OutputRows.Last)], [new Piece(0, 4, OutputRows.Last), new Piece(1, 2, OutputRows.None)],
            [new Piece(1, 1, OutputRows.Last), new Piece(0, 6)],
        ]));
        return cuts;
    }
}
