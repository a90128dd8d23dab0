namespace MambaRT.Backends.Cpu;

/// <summary>
/// A step that does each column of a value for itself, whatever the others hold: a convolution, or a scan of single channels. A unit is a block of
/// columns over all sequences, so that a state has one owner.
/// </summary>
/// <param name="rows">The present batch.</param>
/// <param name="y">What it makes.</param>
/// <param name="granule">Columns done at once; with many rows that is a unit. A multiple of the 32 columns that share an activation scale.</param>
/// <param name="members">Members of the team.</param>
internal abstract class ColumnStep(BatchRows rows, Matrix y, int granule, int members) : Step, IQuantizingStep
{
    /// <summary>Rows of a pass: a granule's share of y, 8 or 16 KiB, is still in the first-level cache when its 8-bit copy is made.</summary>
    protected const int RowsPerPass = 64;

    /// <summary>With up to so many rows a granule takes less than a microsecond, which is what it takes to hand out a unit and to count it.</summary>
    private const int FewRows = 8;

    /// <summary>Units of a member then: enough to leave something for others to take.</summary>
    private const int UnitsPerMember = 4;

    protected readonly Matrix Y = y;

    private readonly int _fewRowsGranules = Math.Max(1, Cover(y.Width, granule) / (members * UnitsPerMember));

    public QuantizedRows? Quantized { get; set; }

    public sealed override int Units => Cover(Y.Width, UnitColumns);

    private int UnitColumns => rows.Tokens <= FewRows ? _fewRowsGranules * granule : granule;

    public sealed override void Run(int unit, int member)
    {
        int columns = UnitColumns, begin = unit * columns, end = Math.Min(begin + columns, Y.Width);
        bool onePass = rows.Tokens <= RowsPerPass;
        foreach (SequenceSpan span in rows.Spans)
            for (int done = 0; done < span.Count; done += RowsPerPass)
            {
                SequenceSpan pass = span with { Position = span.Position + done, Start = span.Start + done, Count = Math.Min(RowsPerPass, span.Count - done) };
                for (int c = begin; c < end; c += granule) RunColumns(pass, c, Math.Min(c + granule, end), member);
                if (!onePass) Quantized?.Fill(pass.Start, pass.Count, Y, begin, end - begin);
            }
        if (onePass) Quantized?.Fill(0, rows.Tokens, Y, begin, end - begin);   // short sequences: all of them at once
    }

    /// <summary>Does columns <paramref name="begin"/> to <paramref name="end"/>, at most a granule, over a pass; the state moves on.</summary>
    protected abstract void RunColumns(in SequenceSpan pass, int begin, int end, int member);
}
