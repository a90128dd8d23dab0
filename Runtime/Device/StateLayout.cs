namespace MambaRT.Devices;

/// <summary>Kinds of state a slot holds.</summary>
public enum StateKind : byte
{
    /// <summary>The last dConv−1 inputs of a convolution, oldest first: [channels, dConv−1].</summary>
    ConvWindow,
    /// <summary>The recurrent state h: [channels, dState].</summary>
    Scan,
}

/// <summary>One state of one layer: a float32 matrix [<paramref name="Rows"/>, <paramref name="Columns"/>] in canonical form.</summary>
/// <param name="Name">Such as "blk.3.scan".</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Rows">Channels.</param>
/// <param name="Columns">dConv−1 or dState; 0 for a convolution of one tap.</param>
/// <param name="CanonicalOffset">Where it begins in the canonical bytes of a slot, in floats.</param>
public readonly record struct StateSpec(string Name, StateKind Kind, int Rows, int Columns, long CanonicalOffset)
{
    /// <summary>Number of values.</summary>
    public long Count => (long)Rows * Columns;
}

/// <summary>What one slot holds, in canonical order: conv windows, then scan states, each layer by layer, float32 little-endian.</summary>
/// <remarks>Saved states depend on the order: kinds of state to come are appended to <see cref="StateKind"/>, and so come after these.</remarks>
public sealed class StateLayout
{
    private readonly StateSpec[] _entries;
    private readonly int[] _order;

    internal StateLayout(IReadOnlyList<(string Name, StateKind Kind, int Rows, int Columns)> states)
    {
        _entries = new StateSpec[states.Count];
        _order = new int[states.Count];
        long offset = 0;
        int next = 0;
        foreach (StateKind kind in Enum.GetValues<StateKind>())
            for (int i = 0; i < states.Count; i++)
            {
                (string name, StateKind k, int rows, int columns) = states[i];
                if (k != kind) continue;
                _entries[i] = new StateSpec(name, k, rows, columns, offset);
                offset += _entries[i].Count;
                _order[next++] = i;
            }
        Floats = offset;
    }

    /// <summary>The states, by <see cref="StateRef.Index"/>.</summary>
    public ReadOnlySpan<StateSpec> Entries => _entries;

    /// <summary>Indices of <see cref="Entries"/> in canonical order.</summary>
    public ReadOnlySpan<int> CanonicalOrder => _order;

    /// <summary>Values of one slot, as long as no entry grows.</summary>
    public long Floats { get; }

    /// <summary>Canonical bytes of a slot that has absorbed <paramref name="position"/> tokens: the same at every position, which is the point of these architectures.</summary>
    public long Bytes(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        return Floats * sizeof(float);
    }
}
