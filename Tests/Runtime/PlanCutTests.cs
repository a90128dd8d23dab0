using System.Runtime.InteropServices;
using MambaRT.Formats;
using Xunit;
using Architecture = MambaRT.Models.Architecture;

namespace MambaRT.Tests;

/// <summary>A plan that is cut at layers and run piece by piece, what crosses copied by hand, says what the whole says.</summary>
public sealed class PlanCutTests
{
    private const int Layers = 4;

    /// <summary>Every backend, every model, stored as floats and as blocks, cut in each way.</summary>
    public static TheoryData<string, string, string, string> Cuts
    {
        get
        {
            var rows = new TheoryData<string, string, string, string>();
            foreach (string backend in TestBackends.Devices)
                foreach (string model in TinyModels.AllNames)
                    foreach (string type in (string[])["F32", "Q8_0"])
                        foreach (string cuts in (string[])["1", "2", "3", "1,2,3"]) rows.Add(backend, model, type, cuts);
            return rows;
        }
    }

    [Theory, MemberData(nameof(Cuts))]
    public void Run_PieceByPiece_GivesTheLogitsAndStatesOfTheWhole(string backendName, string model, string type, string cuts)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.ByName(type)!, layers: Layers);
        Plan plan = Architecture.Record(weights.Metadata, weights.Weights, TinyModels.Architectures);
        using IBackend backend = TestBackends.Create(backendName);
        using var whole = new Chain(backend, weights.Weights, [plan]);
        using var pieces = new Chain(backend, weights.Weights, Pieces(plan, [.. cuts.Split(',').Select(int.Parse)]));
        long[] position = [0, 0];
        foreach ((int first, int second) in ((int, int)[])[(1, 3), (9, 0), (1, 1), (0, 4), (3, 2)])
        {
            List<int> tokens = [];
            List<SequenceSpan> spans = [];
            foreach ((int slot, int count) in ((int, int)[])[(1, first), (2, second)])
            {
                if (count == 0) continue;
                spans.Add(new SequenceSpan(slot, position[slot - 1], tokens.Count, count, OutputRows.All));
                for (int i = 0; i < count; i++) tokens.Add(TinyModels.Token((int)position[slot - 1] + i, slot));
                position[slot - 1] += count;
            }

            Assert.Equal(whole.Run([.. tokens], [.. spans]), pieces.Run([.. tokens], [.. spans]));
        }
        for (int slot = 1; slot <= 2; slot++) Assert.Equal(whole.States(slot, position[slot - 1]), pieces.States(slot, position[slot - 1]));
    }

    [Theory]
    [InlineData("mamba-untied-biases", 1)]
    [InlineData("mamba2-g3", 3)]
    [InlineData("mlp", 2)]
    public void Cut_WeightsAndStates_GoWithTheirLayers(string model, int layer)
    {
        using TinyWeights weights = TinyModels.Make(model, QuantTypes.F32, layers: Layers);
        Plan plan = Architecture.Record(weights.Metadata, weights.Weights, TinyModels.Architectures);
        (Plan first, Plan second) = plan.Cut(layer);

        Assert.All(first.Weights.ToArray(), w => Assert.False(w.Layer >= layer, w.Name));
        Assert.All(second.Weights.ToArray(), w => Assert.False(w.Layer < layer, w.Name));
        Assert.Equal(plan.Weights.ToArray().Select(w => w.Name).Order(), first.Weights.ToArray().Union(second.Weights.ToArray()).Select(w => w.Name).Order());
        Assert.Equal(plan.States.Floats, first.States.Floats + second.States.Floats);
        Assert.Equal(64, Assert.Single(first.CarriedOut.ToArray()).Width);   // the residual stream alone
        Assert.Equal((null, plan.VocabularySize), (first.Logits, second.Logits?.Width));
        PlanTests.AssertApart(first);
        PlanTests.AssertApart(second);
        foreach (int none in (int[])[-1, 0, Layers])
            Assert.Contains($"layer {none}; it can at layer 1 to {Layers - 1}.", Assert.Throws<ArgumentOutOfRangeException>(() => plan.Cut(none)).Message);
    }

    [Fact]
    public void Cut_ValueThatIsReadFarBehind_IsCarriedThroughThePiecesBetween()
    {
        var builder = new CaseBuilder("far");
        PlanBuilder p = builder.Plan;
        Activation x = builder.Input(64);
        p.Layer = 0;
        Activation early = p.RmsNorm("early", x, null, 1e-5f);
        x = p.Linear("zero", early, builder.Matrix("w0", QuantTypes.F32, 64, 64));
        p.Layer = 1;
        x = p.RmsNorm("one", x, null, 1e-5f);
        p.Layer = 2;
        x = p.Linear("two", x, builder.Matrix("w2", QuantTypes.F32, 64, 64), addTo: early);
        p.Layer = null;
        Plan plan = builder.Finish(x);
        using MemoryWeights weights = builder.Weights;
        using IBackend backend = TestBackends.Create("cpu");
        using var whole = new Chain(backend, weights, [plan]);
        Plan[] cut = Pieces(plan, [1, 2]);
        using var pieces = new Chain(backend, weights, cut);

        Assert.Equal([2, 2], [cut[1].CarriedIn.Length, cut[1].CarriedOut.Length]);
        foreach (Plan piece in cut) PlanTests.AssertApart(piece);
        SequenceSpan[] spans = [new SequenceSpan(1, 0, 0, 5, OutputRows.All)];
        Assert.Equal(whole.Run([3, 1, 4, 1, 5], spans), pieces.Run([3, 1, 4, 1, 5], spans));
    }

    [Fact]
    public void Start_CarriedValuesThatDoNotFit_AreRefused()
    {
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        (Plan first, Plan second) = Architecture.Record(weights.Metadata, weights.Weights).Cut(1);
        using IBackend backend = TestBackends.Create("cpu");
        foreach (Plan plan in (Plan[])[first, second])
        {
            using ILoadedModel model = backend.Load(plan, weights.Weights, new LoadOptions());
            using IExecutable executable = model.Compile(new BatchShape(2, 1, 2));
            float[] wrong = new float[plan == first ? 64 : 127];
            Assert.Contains("carried", Assert.Throws<ArgumentException>(() => executable.Start(new Batch { Tokens = [1, 2], Sequences = [new(1, 0, 0, 2, OutputRows.Last)], Carried = wrong })).Message);
        }
        using ILoadedModel start = backend.Load(first, weights.Weights, new LoadOptions());
        using IExecutable run = start.Compile(new BatchShape(1, 1, 1));
        Assert.Contains("picks", Assert.Throws<ArgumentException>(() => run.Start(new Batch { Tokens = [1], Sequences = [new(1, 0, 0, 1, OutputRows.Last)], Picks = [default] })).Message);
    }

    private static Plan[] Pieces(Plan plan, int[] cuts)
    {
        var pieces = new List<Plan>();
        foreach (int layer in cuts)
        {
            (Plan first, plan) = plan.Cut(layer);
            pieces.Add(first);
        }
        return [.. pieces, plan];
    }

    /// <summary>Plans that are run one after the other, each on a loaded model of its own.</summary>
    private sealed class Chain(IBackend backend, IWeightSource weights, Plan[] plans) : IDisposable
    {
        private readonly ILoadedModel[] _models = Array.ConvertAll(plans, plan => Load(backend, plan, weights));
        private readonly List<IExecutable> _executables = [];

        public float[] Run(int[] tokens, SequenceSpan[] spans)
        {
            if (_executables.Count == 0) _executables.AddRange(_models.Select(m => m.Compile(new BatchShape(16, 2, 16))));
            float[] carried = [];
            foreach (IExecutable executable in _executables)
            {
                RunTicket run = executable.Start(new Batch { Tokens = tokens, Sequences = spans, Carried = carried });
                RunOutput output = executable.Await(run);
                if (executable == _executables[^1]) return output.Logits.ToArray();
                Assert.True(output.Logits.IsEmpty);
                carried = output.Carried.ToArray();
            }
            throw new InvalidOperationException("There is no plan.");
        }

        /// <summary>Every state of a slot by name.</summary>
        public SortedDictionary<string, float[]> States(int slot, long position)
        {
            var states = new SortedDictionary<string, float[]>();
            for (int i = 0; i < plans.Length; i++)
            {
                var canonical = new MemoryStream();
                _models[i].ExportSlot(slot, position, canonical);
                float[] values = MemoryMarshal.Cast<byte, float>(canonical.ToArray()).ToArray();
                foreach (StateSpec state in plans[i].States.Entries)
                    states.Add($"{state.Name} {state.Kind}", values[(int)state.CanonicalOffset..(int)(state.CanonicalOffset + state.Count)]);
            }
            return states;
        }

        public void Dispose()
        {
            foreach (IExecutable executable in _executables) executable.Dispose();
            foreach (ILoadedModel model in _models) model.Dispose();
        }

        private static ILoadedModel Load(IBackend backend, Plan plan, IWeightSource weights)
        {
            Assert.Null(backend.WhyNot(plan, weights));
            ILoadedModel model = backend.Load(plan, weights, new LoadOptions { Slots = 2 });
            for (int slot = 1; slot <= 2; slot++) model.ClearSlot(slot);
            return model;
        }
    }
}
