using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

/// <summary>How steps of single columns go over a batch.</summary>
public sealed class ColumnStepTests
{
    [Fact]
    public void Run_LongSequences_TellsEachPassItsPosition()
    {
        var rows = new BatchRows(new BatchShape(200, 2, 1));
        SequenceSpan[] spans = [new(1, 1_000_000_000_000, 0, 150, OutputRows.None), new(2, 0, 150, 50, OutputRows.Last)];
        var slots = new SlotTable();
        slots.Grow(spans.Length);
        rows.Set(new Batch { Tokens = new int[200], Sequences = spans }, 1, slots);
        var step = new Recorder(rows) { Name = "recorder" };

        for (int unit = 0; unit < step.Units; unit++) step.Run(unit, 0);

        Assert.Equal(200, step.Passes.Sum(pass => pass.Count));
        Assert.True(step.Passes.Count > spans.Length);
        Assert.All(step.Passes, pass => Assert.Equal(spans[pass.Slot - 1].Position + pass.Start - spans[pass.Slot - 1].Start, pass.Position));
    }

    private sealed unsafe class Recorder(BatchRows rows) : ColumnStep(rows, new Matrix(null, 32, 32), granule: 32, members: 1)
    {
        public List<SequenceSpan> Passes { get; } = [];

        protected override void RunColumns(in SequenceSpan pass, int begin, int end, int member) => Passes.Add(pass);
    }
}
