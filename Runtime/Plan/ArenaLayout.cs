namespace MambaRT.Plans;

/// <summary>Packs the values of a plan into one arena: values that never live at the same time share memory.</summary>
internal static class ArenaLayout
{
    /// <summary>Sixteen floats, one cache line: every value begins on one whatever the row capacity.</summary>
    private const int Alignment = 16;

    /// <summary>First fit over lifetimes, in order of definition; an op's output takes over the memory of a dying input where the op allows it.</summary>
    /// <param name="ops">The recorded ops.</param>
    /// <param name="registers">Width and domain of each value; offsets are filled in.</param>
    /// <param name="logits">The result's register, which gets no room here.</param>
    /// <returns>Floats per row of capacity.</returns>
    public static int Pack(ReadOnlySpan<Op> ops, Span<RegisterSpec> registers, int logits)
    {
        int[] lastRead = new int[registers.Length];
        for (int i = 0; i < ops.Length; i++)
        {
            lastRead[ops[i].Output.Register] = i;
            foreach (Activation input in ops[i].Inputs) lastRead[input.Register] = i;
        }

        var live = new List<(int Offset, int Size, int End)>();
        int total = 0;
        for (int i = 0; i < ops.Length; i++)
        {
            int register = ops[i].Output.Register;
            if (register == logits)
            {
                registers[register] = registers[register] with { ArenaOffset = -1 };
                continue;
            }
            live.RemoveAll(v => v.End < i);
            int size = (registers[register].Width + Alignment - 1) / Alignment * Alignment;
            int offset = TakenOver(ops[i], registers, lastRead, i);
            if (offset >= 0) live.RemoveAll(v => v.Offset == offset);
            else offset = FirstGap(live, size);
            live.Add((offset, size, lastRead[register]));
            live.Sort();
            registers[register] = registers[register] with { ArenaOffset = offset };
            total = Math.Max(total, offset + size);
        }
        return total;
    }

    private static int TakenOver(Op op, ReadOnlySpan<RegisterSpec> registers, int[] lastRead, int now)
    {
        int from = op.TakesOver;
        return from >= 0 && lastRead[from] == now && registers[from].Width == registers[op.Output.Register].Width
            ? registers[from].ArenaOffset : -1;
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
