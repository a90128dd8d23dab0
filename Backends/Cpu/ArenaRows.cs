namespace MambaRT.Backends.Cpu;

/// <summary>Where the values of a plan lie in this backend's arena: as the plan says, but with rows an odd number of cache lines apart.</summary>
/// <remarks>
/// Scans and convolutions go down the rows of a few columns. The widths of models are powers of two or small multiples of them, so their rows would meet in
/// a handful of a cache's sets, and a store would look like the load of another row to a processor that compares the low twelve bits.
/// </remarks>
internal sealed class ArenaRows
{
    private const int Line = 64 / sizeof(float);

    /// <summary>What a row grows by at most: a plan's values take whole lines.</summary>
    private const int MostPadding = Line;

    private readonly int[] _offsets;

    public ArenaRows(Plan plan)
    {
        var begins = new SortedSet<int>();
        foreach (RegisterSpec register in plan.Registers) begins.Add(register.ArenaOffset);
        begins.Remove(-1);
        _offsets = new int[plan.Registers.Length];
        // What lay behind something else moves on by the padding of all that begins before it: what was apart stays apart.
        for (int i = 0; i < _offsets.Length; i++)
            _offsets[i] = plan.Registers[i].ArenaOffset is >= 0 and int offset ? offset + MostPadding * begins.Count(begin => begin < offset) : -1;
        FloatsPerRow = plan.ArenaFloatsPerRow + MostPadding * begins.Count;
    }

    /// <summary>Floats of all values per row of capacity.</summary>
    public int FloatsPerRow { get; }

    /// <summary>Where a value begins, in floats per row of capacity; −1 for the logits, which live apart.</summary>
    public int Offset(int register) => _offsets[register];

    /// <summary>Floats from one row of a value to the next.</summary>
    public static int Stride(int width) => ((width + Line - 1) / Line | 1) * Line;
}
