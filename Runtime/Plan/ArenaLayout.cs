namespace MambaRT.Plans;

/// <summary>Packs the values of a plan into one arena by their lifetimes: values that never live at the same time share memory.</summary>
/// <remarks>
/// A backend says how far apart rows lie; where a value then begins and how large the arena is follows. First fit, in order of definition; an op's output
/// takes over the memory of a dying input where the op allows it. The logits lie apart. Immutable.
/// </remarks>
public sealed class ArenaLayout
{
    /// <summary>Sixteen floats, one cache line: every value begins on one whatever the row capacity.</summary>
    private const int Alignment = 16;

    private readonly int[] _offsets, _strides;

    /// <summary>Packs.</summary>
    /// <param name="plan">Whose values.</param>
    /// <param name="stride">Floats from one row to the next of a value of some width, at least the width.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are fewer.</exception>
    public ArenaLayout(Plan plan, Func<int, int> stride)
    {
        ReadOnlySpan<RegisterSpec> registers = plan.Registers;
        _offsets = new int[registers.Length];
        _strides = new int[registers.Length];
        for (int i = 0; i < registers.Length; i++)
        {
            _strides[i] = stride(registers[i].Width);
            ArgumentOutOfRangeException.ThrowIfLessThan(_strides[i], registers[i].Width, nameof(stride));
        }
        var live = new List<(int Offset, int Size, int End)>();
        foreach (Activation carried in plan.CarriedIn) Place(carried.Register, registers, live, over: -1);
        for (int i = 0; i < plan.Ops.Length; i++)
        {
            int register = plan.Ops[i].Output.Register;
            if (register == plan.Logits?.Register)
            {
                (_offsets[register], _strides[register]) = (-1, registers[register].Width);
                continue;
            }
            live.RemoveAll(v => v.End < i);
            Place(register, registers, live, TakenOver(plan.Ops[i], registers, i));
        }
    }

    /// <summary>Floats of all values per row of capacity.</summary>
    public int FloatsPerRow { get; private set; }

    /// <summary>Where a value begins, in floats per row of capacity: at Offset × rows of capacity. −1 for the logits.</summary>
    public int Offset(int register) => _offsets[register];

    /// <summary>Floats from one row of a value to the next; of the logits, their width.</summary>
    public int Stride(int register) => _strides[register];

    private void Place(int register, ReadOnlySpan<RegisterSpec> registers, List<(int Offset, int Size, int End)> live, int over)
    {
        int size = (_strides[register] + Alignment - 1) / Alignment * Alignment, offset = over;
        if (offset >= 0) live.RemoveAll(v => v.Offset == offset);
        else offset = FirstGap(live, size);
        live.Add((offset, size, registers[register].Last));
        live.Sort();
        _offsets[register] = offset;
        FloatsPerRow = Math.Max(FloatsPerRow, checked(offset + size));
    }

    private int TakenOver(Op op, ReadOnlySpan<RegisterSpec> registers, int now)
    {
        int from = op.TakesOver;
        return from >= 0 && registers[from].Last == now && registers[from].Width == registers[op.Output.Register].Width ? _offsets[from] : -1;
    }

    private static int FirstGap(List<(int Offset, int Size, int End)> live, int size)
    {
        int at = 0;
        foreach ((int offset, int length, _) in live)
        {
            if (offset - at >= size) break;
            at = Math.Max(at, offset + length);
        }
        return at;
    }
}
