namespace MambaRT.Backends.Cpu;

/// <summary>A step that does each column of a value for itself, whatever the others hold: a convolution, or a scan of single channels.</summary>
/// <param name="rows">The present batch.</param>
/// <param name="width">Columns.</param>
/// <param name="granule">Columns done at once; with many rows that is a unit.</param>
/// <param name="members">Members of the team.</param>
internal abstract class ColumnStep(BatchRows rows, int width, int granule, int members) : Step
{
    /// <summary>With up to so many rows a granule takes less than a microsecond, which is what it takes to hand out a unit and to count it.</summary>
    private const int FewRows = 8;

    /// <summary>Units of a member then: enough to leave something for others to take.</summary>
    private const int UnitsPerMember = 4;

    private readonly int _fewRowsGranules = Math.Max(1, Cover(width, granule) / (members * UnitsPerMember));

    public sealed override int Units => Cover(width, UnitColumns);

    private int UnitColumns => rows.Tokens <= FewRows ? _fewRowsGranules * granule : granule;

    public sealed override void Run(int unit, int member)
    {
        int columns = UnitColumns, end = Math.Min((unit + 1) * columns, width);
        for (int begin = unit * columns; begin < end; begin += granule) RunColumns(begin, Math.Min(begin + granule, end), member);
    }

    /// <summary>Does columns <paramref name="begin"/> to <paramref name="end"/>, at most a granule, over all rows.</summary>
    protected abstract void RunColumns(int begin, int end, int member);
}
