using System.Runtime.InteropServices;

namespace MambaRT.Tests;

/// <summary>What a run of a case gave: each sequence's rows of logits by position (null where not wanted), and its state at the end.</summary>
internal sealed record CaseResult(float[]?[][] Rows, float[][] States);

/// <summary>Runs a case on a backend.</summary>
internal static class CaseRun
{
    /// <summary>Runs the batches of a cut, from the zero state.</summary>
    public static CaseResult Run(IBackend backend, PreparedCase prepared, BatchCut cut)
    {
        using ILoadedModel model = backend.Load(prepared.Plan, prepared.Weights, new LoadOptions { Slots = BatchCut.Sequences });
        for (int s = 0; s < BatchCut.Sequences; s++) model.ClearSlot(s + 1);
        int most = cut.Batches.Max(batch => batch.Sum(piece => piece.Count));
        using IExecutable executable = model.Compile(new BatchShape(most, BatchCut.Sequences, most));
        float[]?[][] rows = [.. Enumerable.Range(0, BatchCut.Sequences).Select(s => new float[]?[cut.Length(s)])];
        int[] next = new int[BatchCut.Sequences];
        foreach (Piece[] batch in cut.Batches) RunBatch(executable, prepared.Plan.VocabularySize, batch, rows, next);
        return new CaseResult(rows, [.. Enumerable.Range(0, BatchCut.Sequences).Select(s => Export(model, prepared.Plan, s + 1, next[s]))]);
    }

    /// <summary>The same tokens one at a time, each sequence alone: what every cut must equal.</summary>
    public static CaseResult OneByOne(IBackend backend, PreparedCase prepared, BatchCut cut)
    {
        Piece[][] batches = [.. Enumerable.Range(0, BatchCut.Sequences).SelectMany(s => Enumerable.Repeat(new[] { new Piece(s, 1) }, cut.Length(s)))];
        return Run(backend, prepared, new BatchCut("one by one", batches));
    }

    private static void RunBatch(IExecutable executable, int width, Piece[] batch, float[]?[][] rows, int[] next)
    {
        var tokens = new List<int>();
        var spans = new List<SequenceSpan>();
        foreach (Piece piece in batch)
        {
            spans.Add(new SequenceSpan(piece.Sequence + 1, next[piece.Sequence], tokens.Count, piece.Count, piece.Outputs));
            for (int i = 0; i < piece.Count; i++) tokens.Add(BatchCut.Token(piece.Sequence, next[piece.Sequence] + i));
        }
        RunTicket run = executable.Start(new Batch { Tokens = tokens.ToArray(), Sequences = spans.ToArray() });
        ReadOnlySpan<float> logits = executable.Await(run).Logits;
        int at = 0;
        foreach (SequenceSpan span in spans)
        {
            int sequence = span.Slot - 1;
            for (int i = span.Count - span.OutputCount; i < span.Count; i++, at += width)
                rows[sequence][next[sequence] + i] = logits.Slice(at, width).ToArray();
            next[sequence] += span.Count;
        }
        if (at != logits.Length) throw new InvalidOperationException($"The backend returned {logits.Length} logits; {at} were wanted.");
    }

    private static float[] Export(ILoadedModel model, Plan plan, int slot, int position)
    {
        var canonical = new MemoryStream(new byte[plan.States.Bytes(position)]);
        model.ExportSlot(slot, position, canonical);
        if (canonical.Position != canonical.Length) throw new InvalidOperationException($"The backend exported {canonical.Position} of {canonical.Length} bytes.");
        return MemoryMarshal.Cast<byte, float>(canonical.ToArray()).ToArray();
    }
}
