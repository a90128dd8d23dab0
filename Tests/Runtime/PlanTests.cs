using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Recording of plans: what does not fit is refused by name; values that live together lie apart.</summary>
public sealed class PlanTests
{
    public static TheoryData<string> Models => [.. TinyModels.AllNames];

    /// <summary>Every tensor of every model.</summary>
    public static TheoryData<string, string> Tensors
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (string model in TinyModels.AllNames)
                foreach (TinyTensor tensor in TinyModels.Tensors(model)) rows.Add(model, tensor.Name);
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Tensors))]
    public void Record_TensorOfAnotherShape_IsRefusedNamingFoundAndNeeded(string model, string name)
    {
        TinyTensor right = TinyModels.Tensors(model).Single(t => t.Name == name);
        // The rows of the embedding define the vocabulary, so that only its columns can be wrong.
        TinyTensor wrong = name == "token_embd.weight" ? right with { Columns = right.Columns + 1 } : right with { Rows = right.Rows + 1 };
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32, t => t.Name == name ? wrong : t);
        string message = Assert.Throws<FormatException>(() => Record(weights.Metadata, weights)).Message;
        Assert.StartsWith($"{model}: tensor '{name}' is [{wrong.Rows}, {wrong.Columns}]; architecture '{Id(model)}' needs ", message);
        bool exact = message.Contains($"[{right.Rows}, {right.Columns}]", StringComparison.Ordinal);
        Assert.True(exact || message.Contains($"{right.Rows * right.Columns} values", StringComparison.Ordinal), message);
    }

    [Theory]
    [MemberData(nameof(Tensors))]
    public void Record_TensorLeftOut_IsRefusedByNameOrOptional(string model, string name)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32, t => t.Name == name ? null : t);
        if (TinyModels.MayBeAbsent(model, name))
        {
            Plan plan = Record(weights.Metadata, weights);
            Assert.DoesNotContain(plan.Weights.ToArray(), w => w.Name == name);
            return;
        }
        string message = Assert.Throws<FormatException>(() => Record(weights.Metadata, weights)).Message;
        Assert.Contains($"tensor '{name}' is missing", message);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Record_KeyMissingOrOutOfRange_IsRefusedByName(string model)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32);
        foreach (string key in TinyModels.NeededKeys(model))
        {
            string full = $"{Id(model)}.{key}";
            GgufMetadata metadata = TinyModels.Metadata(model);
            metadata.Remove(full);
            Refuses(full);
            metadata.Set(full, key.EndsWith("epsilon", StringComparison.Ordinal) ? 0f : (object)0u);
            Refuses(full);
            metadata.Set(full, key.EndsWith("epsilon", StringComparison.Ordinal) ? float.NaN : (object)uint.MaxValue);
            Refuses(full);
            metadata.Set(full, "text");
            Refuses(full);

            void Refuses(string named) =>
                Assert.Contains($"key '{named}'", Assert.Throws<FormatException>(() => Record(metadata, weights)).Message);
        }
    }

    [Fact]
    public void Record_UnknownArchitecture_IsRefusedWithTheList()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        weights.Metadata.Set("general.architecture", "llama");
        string message = Assert.Throws<NotSupportedException>(() => Record(weights.Metadata, weights)).Message;
        Assert.Contains("'llama'", message);
        foreach (Architecture architecture in Architecture.All) Assert.Contains($"'{architecture.Id}'", message);
    }

    [Theory]
    [InlineData("ssm.group_count", 4u)]      // 6 heads
    [InlineData("ssm.time_step_rank", 7u)]   // 96 channels
    public void Record_Mamba2SizesThatDoNotDivide_AreRefused(string key, uint value)
    {
        using TinyWeights weights = TinyModels.Make("mamba2-g1", QuantTypes.F32);
        weights.Metadata.Set("mamba2." + key, value);
        Assert.Contains("do not divide evenly", Assert.Throws<FormatException>(() => Record(weights.Metadata, weights)).Message);
    }

    [Fact]
    public void Open_TensorThatThePlanDoesNotUse_IsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        TinyModels.WriteFile(folder["good.gguf"], "mamba-tied", QuantTypes.F32);
        TinyModels.WriteFile(folder["bad.gguf"], "mamba-tied", QuantTypes.F32, extra: "blk.0.attn_q.weight");
        using IBackend backend = TestBackends.Create(TestBackends.Reference);
        using (Model good = Model.Open(folder["good.gguf"], backend)) Assert.Equal(TinyModels.Vocabulary, good.Plan.VocabularySize);
        string message = Assert.Throws<NotSupportedException>(() => Model.Open(folder["bad.gguf"], backend)).Message;
        Assert.Contains("'blk.0.attn_q.weight'", message);
    }

    [Fact]
    public void Open_MoreTokensThanRows_IsRefused()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        weights.Metadata.Set("mamba.vocab_size", (uint)TinyModels.Vocabulary + 1);
        using IBackend backend = TestBackends.Create(TestBackends.Reference);
        string message = Assert.Throws<FormatException>(() => Model.Open(weights.Metadata, weights.Weights, backend)).Message;
        Assert.Contains("97 tokens", message);
        Assert.Contains("96 rows", message);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Arena_ValuesThatLiveTogether_DoNotOverlap(string model)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32);
        Plan plan = Record(weights.Metadata, weights);
        int floats = AssertApart(plan).FloatsPerRow, sum = 0;
        foreach (RegisterSpec register in plan.Registers) sum += register.Width;
        Assert.True(floats < sum / 2, $"{floats} floats a row for values of {sum} in all: nothing is shared.");
    }

    /// <summary>And each op lists what it reads, from which lifetimes are taken.</summary>
    [Fact]
    public void Arena_EveryCaseOfTheContract_DoesNotOverlap()
    {
        foreach (OpCase op in OpCases.All)
        {
            using PreparedCase prepared = op.Prepare();
            AssertApart(prepared.Plan);
            AssertApart(Moved(prepared.Plan));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Move_OpThatForgetsAValueOrAWeight_IsRefusedByName(bool forgetsValue)
    {
        using PreparedCase prepared = OpCases.ByName("rms_norm width=48 weight=True").Prepare();
        RmsNormOp norm = prepared.Plan.Ops.ToArray().OfType<RmsNormOp>().Single();
        var whole = new Plan("case", [prepared.Plan.Ops[0], new Forgetful(norm, forgetsValue) { Name = "forgetful", Output = norm.Output }],
            prepared.Plan.Weights.ToArray(), prepared.Plan.Registers.ToArray(), prepared.Plan.States, null, 48, [], []);

        string message = Assert.Throws<InvalidOperationException>(() => Moved(whole)).Message;

        Assert.StartsWith("Op 'forgetful'", message);
        Assert.Contains(forgetsValue ? "Inputs" : "Weights", message);
    }

    private static Plan Moved(Plan plan) => new PlanPiece(plan).Of(plan.Ops, [], [], plan.Logits);

    /// <summary>A norm that does not list all that it reads.</summary>
    private sealed class Forgetful(RmsNormOp norm, bool forgetsValue) : Op
    {
        public override OpKind Kind => norm.Kind;

        public override IEnumerable<Activation> Inputs => forgetsValue ? [] : norm.Inputs;

        public override IEnumerable<WeightRef> Weights => forgetsValue ? norm.Weights : [];

        public override void Accept(IScanContract device) => device.RmsNorm(norm);

        internal override Op MoveTo(PlanPiece piece) => new Forgetful((RmsNormOp)norm.MoveTo(piece), forgetsValue) { Name = Name, Output = piece.Value(Output) };
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void States_OfAPlan_ComeInCanonicalOrder(string model)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32);
        StateLayout states = Record(weights.Metadata, weights).States;
        StateSpec[] sorted = [.. states.Entries.ToArray().OrderBy(s => s.CanonicalOffset)];
        Assert.Equal(sorted.OrderBy(s => s.Kind).ThenBy(s => s.Name, StringComparer.Ordinal), sorted);   // "blk.0.conv", "blk.1.conv", "blk.0.scan", "blk.1.scan"
        long next = 0;
        foreach (StateSpec state in sorted)
        {
            Assert.Equal(next, state.CanonicalOffset);
            next += (long)state.Rows * state.Columns;
        }
        Assert.Equal(next, states.Floats);
        Assert.Equal(4 * next, states.Bytes(0));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Plan_OpsAndWeights_KnowTheirLayer(string model)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32);
        Plan plan = Record(weights.Metadata, weights);

        foreach (Op op in plan.Ops) Assert.Equal(LayerOf(op.Name), op.Layer);
        foreach (WeightSpec weight in plan.Weights) Assert.Equal(LayerOf(weight.Name), weight.Layer);
        foreach (Op op in plan.Ops) Assert.Equal(op.GetType().Name, op.Kind + "Op");

        static int? LayerOf(string name) => name.StartsWith("blk.", StringComparison.Ordinal) ? name[4] - '0' : null;
    }

    [Fact]
    public void Builder_OpsThatDoNotFit_AreRefusedByName()
    {
        var builder = new CaseBuilder("misfit");
        using MemoryWeights weights = builder.Weights;
        Activation x = builder.Input(32);
        WeightRef narrow = builder.Matrix("narrow", QuantTypes.F32, 8, 31);
        WeightRef taps = builder.Small("taps", 32, 4, -1, 1);
        StateRef shortWindow = builder.Plan.ConvWindow("short", 32, 3);
        Assert.Contains("'linear'", Assert.Throws<FormatException>(() => builder.Plan.Linear("linear", x, narrow)).Message);
        Assert.Contains("'norm'", Assert.Throws<FormatException>(() => builder.Plan.RmsNorm("norm", x, builder.Vector("w", 31, 0, 1), 1e-5f)).Message);
        Assert.Contains("'short'", Assert.Throws<ArgumentException>(() => builder.Plan.CausalConv("conv", x, taps, null, shortWindow)).Message);
        Assert.Contains("'scaled'", Assert.Throws<FormatException>(() => builder.Plan.Linear("scaled", x, narrow, scale: float.PositiveInfinity)).Message);
        Assert.Contains("'scaled'", Assert.Throws<FormatException>(() => builder.Plan.Embed("scaled", narrow, scale: 0)).Message);
        Assert.Contains("'some'", Assert.Throws<ArgumentException>(() => builder.Plan.Embed("some", builder.Plan.MatrixColumns("narrow", 8, 31, WeightRole.In, 3, 4))).Message);
        Assert.Contains("29 from 3", Assert.Throws<ArgumentException>(() => builder.Plan.MatrixColumns("narrow", 8, 31, WeightRole.In, 3, 29)).Message);
        builder.Matrix("blocks", QuantTypes.Q8_0, 8, 96);
        Assert.Contains("columns 16 to 47", Assert.Throws<FormatException>(() => builder.Plan.MatrixColumns("blocks", 8, 96, WeightRole.In, 16, 32)).Message);
        builder.Plan.Layer = 1;
        Assert.Contains("Layer 0", Assert.Throws<ArgumentException>(() => builder.Plan.Layer = 0).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => x.Columns(1, 32));
        Assert.Throws<ArgumentOutOfRangeException>(() => x.Columns(-1, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => x.Columns(int.MaxValue, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => x.Columns(0, 0));
        Assert.Throws<ArgumentException>(() => builder.Plan.Build(x));
    }

    [Fact]
    public void Plan_SomeColumnsOfATensor_IsFoundAsTheWholeAndKnowsWhatBlocksMustDivide()
    {
        using TinyWeights weights = TinyModels.Make("mlp", QuantTypes.F32);
        Plan plan = Record(weights.Metadata, weights);
        WeightSpec[] windows = [.. plan.Weights.ToArray().Where(w => w.Name == "blk.1.ffn_up.weight")];

        Assert.Equal([(64, 64, 128), (0, 64, 128)], windows.Select(w => (w.FirstColumn, w.Columns, w.TensorColumns)));
        Assert.True(plan.TryFind("blk.1.ffn_up.weight", out WeightSpec whole));
        Assert.Equal((128, 0), (whole.Columns, whole.FirstColumn));
        Assert.Equal((64, 64), (plan.ColumnsTogether("blk.1.ffn_up.weight"), plan.ColumnsTogether("blk.1.ffn_gate.weight")));
        foreach (WeightSpec window in windows)
        {
            Assert.True(weights.Weights.TryGet(window.Name, out TensorView all));
            Assert.True(window.TryFind(weights.Weights, out TensorView some));
            Assert.Equal(all.Row(5).Slice(window.FirstColumn * sizeof(float), 64 * sizeof(float)).ToArray(), some.Row(5).ToArray());
            Assert.Throws<InvalidOperationException>(() => some.Part(0, 4));
            Assert.Equal(some.Row(7).ToArray(), some.RowAlone(7).Part(0, 64 * sizeof(float)).ToArray());
        }
    }

    /// <summary>Lifetimes as the ops tell them, worked out anew: from the op that yields a value to the last that reads it.</summary>
    internal static ArenaLayout AssertApart(Plan plan)
    {
        var layout = new ArenaLayout(plan, width => width + 3);   // a backend may keep rows further apart than they are wide
        int count = plan.Registers.Length;
        int[] born = new int[count], dies = new int[count];
        foreach (Activation carried in plan.CarriedIn) born[carried.Register] = -1;
        for (int i = 0; i < plan.Ops.Length; i++)
        {
            Op op = plan.Ops[i];
            born[op.Output.Register] = dies[op.Output.Register] = i;
            foreach (Activation input in op.Inputs) dies[input.Register] = i;
        }
        foreach (Activation carried in plan.CarriedOut) dies[carried.Register] = plan.Ops.Length;
        if (plan.Logits is Activation logits) dies[logits.Register] = plan.Ops.Length;
        for (int a = 0; a < count; a++)
        {
            Assert.Equal((born[a], dies[a]), (plan.Registers[a].First, plan.Registers[a].Last));
            int left = layout.Offset(a), leftEnd = left + layout.Stride(a);
            Assert.Equal(a == plan.Logits?.Register, left < 0);
            Assert.True(leftEnd <= layout.FloatsPerRow || left < 0);
            for (int b = 0; b < count; b++)
            {
                int right = layout.Offset(b), rightEnd = right + layout.Stride(b);
                if (a == b || left < 0 || right < 0 || born[b] < born[a] || born[b] > dies[a]) continue;
                // b is born while a lives: they may only meet where b's op allows it to take over a, its dying input.
                bool takesOver = born[b] >= 0 && dies[a] == born[b] && plan.Ops[born[b]].TakesOver == a && (left, leftEnd) == (right, rightEnd);
                Assert.True(leftEnd <= right || rightEnd <= left || takesOver, $"Values {a} and {b} overlap while both live.");
            }
        }
        return layout;
    }

    private static Plan Record(GgufMetadata metadata, TinyWeights weights) => Architecture.Record(metadata, weights.Weights, TinyModels.Architectures);

    private static string Id(string model) => TinyModels.Metadata(model).GetString("general.architecture");
}
