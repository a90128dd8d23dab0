using MambaRT.Formats;
using MambaRT.Runtime;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Batches that do not fit are refused before any state is touched, on every backend.</summary>
public sealed class BatchTests
{
    private static readonly BatchShape Shape = new(6, 2, 4);

    public static TheoryData<string> Backends => TestBackends.All;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Run_BatchThatDoesNotFit_IsRefusedAndChangesNothing(string backend)
    {
        using var run = new TinyRun(backend, "mamba2-g1", QuantTypes.F32);
        using Session first = run.Stepped(TinyModels.Tokens(3)), second = run.Stepped(TinyModels.Tokens(2, 1));
        byte[] before = [.. first.Save().ToBytes(), .. second.Save().ToBytes()];
        using IExecutable executable = run.Model.Loaded.Compile(Shape);

        Refuses("7 tokens", 7, [new(1, 0, 7, OutputRows.Last)]);
        Refuses("3 sequences", 3, [new(1, 0, 1, OutputRows.Last), new(2, 1, 1, OutputRows.Last), new(3, 2, 1, OutputRows.Last)]);
        Refuses("5 rows of logits", 5, [new(1, 0, 5, OutputRows.All)]);
        Refuses("tile", 4, [new(1, 0, 2, OutputRows.Last), new(2, 3, 1, OutputRows.Last)]);
        Refuses("tile", 4, [new(1, 0, 3, OutputRows.Last), new(2, 2, 2, OutputRows.Last)]);
        Refuses("tile", 4, [new(1, 0, 0, OutputRows.Last), new(2, 0, 4, OutputRows.Last)]);
        Refuses("tile", 4, [new(1, 0, -1, OutputRows.Last)]);
        Refuses("tile", 4, [new(1, 0, int.MaxValue, OutputRows.Last)]);
        Refuses("tile", 4, [new(1, int.MinValue, 4, OutputRows.Last)]);
        Refuses("cover 3 of 4", 4, [new(1, 0, 3, OutputRows.Last)]);
        Refuses("cover 0 of 1", 1, []);
        Refuses("slot 0", 4, [new(0, 0, 4, OutputRows.Last)]);
        Refuses("slot -1", 4, [new(-1, 0, 4, OutputRows.Last)]);
        Refuses($"slot {run.Model.Loaded.Slots + 1}", 4, [new(run.Model.Loaded.Slots + 1, 0, 4, OutputRows.Last)]);
        Refuses("share slot 2", 4, [new(2, 0, 2, OutputRows.Last), new(2, 2, 2, OutputRows.Last)]);
        Refuses($"Token {TinyModels.Vocabulary}", 4, [new(1, 0, 4, OutputRows.Last)], TinyModels.Vocabulary);
        Refuses("Token -1", 4, [new(1, 0, 4, OutputRows.Last)], -1);
        Assert.Equal(before, (byte[])[.. first.Save().ToBytes(), .. second.Save().ToBytes()]);

        void Refuses(string words, int count, SequenceSpan[] spans, int last = 0)
        {
            int[] tokens = TinyModels.Tokens(count);
            tokens[^1] = last;
            Assert.Contains(words, Assert.Throws<ArgumentException>(() => executable.Run(new Batch { Tokens = tokens, Sequences = spans })).Message);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Run_NoRowsWanted_AdvancesTheStateAndYieldsNothing(string backend)
    {
        using var run = new TinyRun(backend, "mamba2-g1", QuantTypes.F32);
        using Session silent = run.Model.StartSession(), spoken = run.Model.StartSession();
        using IExecutable executable = run.Model.Loaded.Compile(Shape);
        int[] tokens = TinyModels.Tokens(4);
        Assert.Equal(0, executable.Run(new Batch { Tokens = tokens, Sequences = [new SequenceSpan(1, 0, 4, OutputRows.None)] }).Length);
        spoken.Feed(tokens);
        Assert.Equal(spoken.Save().State.ToArray(), silent.Save().State.ToArray());
    }
}
