namespace MambaRT.Devices;

/// <summary>A plan with the two that it was cut into, and where the states of these lie in its own canonical form.</summary>
internal sealed class SplitPlan
{
    private readonly (bool IsLast, int At, int Bytes)[] _states;

    public SplitPlan(Plan whole, Plan first, Plan last)
    {
        (Whole, First, Last) = (whole, first, last);
        var places = new Dictionary<(string, StateKind), (bool, int, int)>();
        foreach (Plan piece in (Plan[])[first, last])
            foreach (StateSpec state in piece.States.Entries)
                places.Add((state.Name, state.Kind), (piece == last, checked((int)(state.CanonicalOffset * sizeof(float))), checked((int)(state.Count * sizeof(float)))));
        _states = new (bool, int, int)[whole.States.Entries.Length];
        for (int i = 0; i < _states.Length; i++)
        {
            StateSpec state = whole.States.Entries[whole.States.CanonicalOrder[i]];
            _states[i] = places[(state.Name, state.Kind)];
        }
    }

    /// <summary>What was cut.</summary>
    public Plan Whole { get; }

    /// <summary>The piece that begins with the tokens.</summary>
    public Plan First { get; }

    /// <summary>The piece that ends with what the whole ends with.</summary>
    public Plan Last { get; }

    /// <summary>Writes the state of the whole from those of the pieces.</summary>
    public void Join(byte[] first, byte[] last, Stream canonical)
    {
        foreach ((bool isLast, int at, int bytes) in _states) canonical.Write((isLast ? last : first).AsSpan(at, bytes));
    }

    /// <summary>Reads the state of the whole into those of the pieces.</summary>
    /// <exception cref="EndOfStreamException">The bytes end early.</exception>
    public void Part(Stream canonical, byte[] first, byte[] last)
    {
        foreach ((bool isLast, int at, int bytes) in _states) canonical.ReadExactly((isLast ? last : first).AsSpan(at, bytes));
    }
}
