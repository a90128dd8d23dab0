using MambaRT.Formats;
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

        int tokens = executable.Shape.Tokens + 1, rows = executable.Shape.Outputs + 1, sequences = executable.Shape.Sequences + 1;   // a backend may round up
        Refuses($"{tokens} tokens", tokens, [At(1, 0, tokens, OutputRows.Last)]);
        Refuses($"{sequences} sequences", sequences, [.. Enumerable.Range(0, sequences).Select(i => At(i + 1, i, 1, OutputRows.Last))]);
        Refuses($"{rows} rows of logits", rows, [At(1, 0, rows, OutputRows.All)]);
        Refuses("tile", 4, [At(1, 0, 2, OutputRows.Last), At(2, 3, 1, OutputRows.Last)]);
        Refuses("tile", 4, [At(1, 0, 3, OutputRows.Last), At(2, 2, 2, OutputRows.Last)]);
        Refuses("tile", 4, [At(1, 0, 0, OutputRows.Last), At(2, 0, 4, OutputRows.Last)]);
        Refuses("tile", 4, [At(1, 0, -1, OutputRows.Last)]);
        Refuses("tile", 4, [At(1, 0, int.MaxValue, OutputRows.Last)]);
        Refuses("tile", 4, [At(1, int.MinValue, 4, OutputRows.Last)]);
        Refuses("cover 3 of 4", 4, [At(1, 0, 3, OutputRows.Last)]);
        Refuses("cover 0 of 1", 1, []);
        Refuses("slot 0", 4, [At(0, 0, 4, OutputRows.Last)]);
        Refuses("slot -1", 4, [At(-1, 0, 4, OutputRows.Last)]);
        Refuses($"slot {run.Model.Loaded.Slots + 1}", 4, [At(run.Model.Loaded.Slots + 1, 0, 4, OutputRows.Last)]);
        Refuses("share slot 2", 4, [At(2, 0, 2, OutputRows.Last), At(2, 2, 2, OutputRows.Last)]);
        Refuses($"Token {TinyModels.Vocabulary}", 4, [At(1, 0, 4, OutputRows.Last)], TinyModels.Vocabulary);
        Refuses("Token -1", 4, [At(1, 0, 4, OutputRows.Last)], -1);
        Refuses("Token -1", 1, [At(1, 0, 1, OutputRows.Last)], -1);
        Refuses("Token -2", 1, [At(1, 0, 1, OutputRows.Last)], -2);
        Refuses("absorbed 3", 4, [new SequenceSpan(1, 2, 0, 4, OutputRows.Last)]);
        Refuses("absorbed 2", 4, [At(1, 0, 2, OutputRows.Last), new SequenceSpan(2, 0, 2, 2, OutputRows.Last)]);
        Assert.Equal(before, (byte[])[.. first.Save().ToBytes(), .. second.Save().ToBytes()]);

        static SequenceSpan At(int slot, int start, int count, OutputRows outputs) => new(slot, slot == 1 ? 3 : 2, start, count, outputs);

        void Refuses(string words, int count, SequenceSpan[] spans, int last = 0)
        {
            int[] tokens = TinyModels.Tokens(count);
            tokens[^1] = last;
            Assert.Contains(words, Assert.Throws<ArgumentException>(() => executable.Start(new Batch { Tokens = tokens, Sequences = spans })).Message);
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
        RunTicket ticket = executable.Start(new Batch { Tokens = tokens, Sequences = [new SequenceSpan(1, 0, 0, 4, OutputRows.None)] });
        Assert.Equal(0, executable.Await(ticket).Logits.Length);
        spoken.Feed(tokens);
        var state = new MemoryStream();
        run.Model.Loaded.ExportSlot(1, 4, state);
        Assert.Equal(spoken.Save().State.ToArray(), state.ToArray());
        Assert.Throws<InvalidOperationException>(() => silent.Save());   // the session has not moved on, its slot has
    }
}
