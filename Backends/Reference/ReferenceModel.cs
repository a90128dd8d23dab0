using System.Numerics;
using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT.Backends.Reference;

/// <summary>Weights and slots of the reference backend. A slot is one array in canonical order.</summary>
internal sealed class ReferenceModel : ILoadedModel
{
    private readonly IWeightSource _source;
    private readonly long _stateBudget;
    private readonly HostMemory? _memory;
    private readonly int _chunk;
    private long _scratchFloats;
    private readonly List<float[]> _slots = [];

    public ReferenceModel(Plan plan, IWeightSource source, LoadOptions options)
    {
        Plan = plan;
        _source = source;
        Observer = options.Observer;
        _stateBudget = options.StateBudget;
        _memory = options.Memory;
        _chunk = options.ChunkTokens;
        NeverPicked = options.NeverPicked;
        EndTokens = options.EndTokens;
        Views = new TensorView[plan.Weights.Length];
        Decoded = new float[plan.Weights.Length][];
        for (int i = 0; i < plan.Weights.Length; i++)
        {
            WeightSpec spec = plan.Weights[i];
            if (!spec.TryFind(source, out Views[i])) throw new FormatException($"Tensor '{spec.Name}' is missing. Re-convert the model.");
        }
        Finite = new FiniteWeights(plan, Views, options.Subject);
        try
        {
            for (int i = 0; i < plan.Weights.Length; i++)
            {
                WeightSpec spec = plan.Weights[i];
                if (!spec.IsDecoded) continue;
                Decoded[i] = Take(spec.Count);
                for (int row = 0; row < Views[i].Rows; row++)
                    Views[i].DecodeRow(row, Decoded[i].AsSpan(row * Views[i].Columns, Views[i].Columns));
            }
            _slots.Add(Take(plan.States.Floats));
            ReserveSlots(options.Slots);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Plan Plan { get; }

    /// <summary>Sees what the projections read, or null.</summary>
    public IActivationObserver? Observer { get; }

    /// <summary>Projections and tables, decoded row by row as they are used.</summary>
    public TensorView[] Views { get; }

    /// <summary>Vectors and small matrices in float32; null for the others.</summary>
    public float[][] Decoded { get; }

    /// <summary>Asked before weights are read for the first time.</summary>
    public FiniteWeights Finite { get; }

    /// <summary>Positions and picks of the slots.</summary>
    public SlotTable Table { get; } = new();

    /// <summary>Tokens that are never picked.</summary>
    public IReadOnlyList<int> NeverPicked { get; }

    /// <summary>Tokens that end a text.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>Runs so far.</summary>
    public long Runs { get; set; }

    /// <summary>Values of the activations of the executables alive, and of their logits.</summary>
    public long ScratchFloats
    {
        get => _scratchFloats;
        set
        {
            if (value > _scratchFloats) _memory?.Count((value - _scratchFloats) * sizeof(float));
            else _memory?.Release((_scratchFloats - value) * sizeof(float));
            _scratchFloats = value;
        }
    }

    public int Slots => Table.Count;

    public MemoryUse Memory => new(
        Decoded.Sum(d => (d?.Length ?? 0L) * sizeof(float)), _slots.Sum(s => (long)s.Length * sizeof(float)), ScratchFloats * sizeof(float), OnDevice: false);

    public void EnsureReadable() => _source.EnsureReadable();

    /// <summary>One state of one slot, canonical: [rows, columns].</summary>
    public Span<float> State(int slot, StateRef state)
    {
        StateSpec spec = Plan.States.Entries[state.Index];
        return _slots[slot].AsSpan((int)spec.CanonicalOffset, (int)spec.Count);
    }

    public void ReserveSlots(int count)
    {
        if (count <= Slots) return;
        SlotTable.EnsureWithin(count, SlotBytes(0), _stateBudget);
        while (_slots.Count <= count) _slots.Add(Take(Plan.States.Floats));
        Table.Grow(count);
    }

    public long SlotBytes(long position) => Plan.States.Bytes(position);

    public long? PositionOf(int slot) => Table.PositionOf(slot);

    public void ClearSlot(int slot)
    {
        _slots[slot].AsSpan().Clear();
        Table.Set(slot, 0);
    }

    public void CopySlot(int from, int to, long position)
    {
        Table.Copy(from, to, position);
        _slots[from].AsSpan().CopyTo(_slots[to]);
    }

    public void ExportSlot(int slot, long position, Stream canonical)
    {
        Table.Ensure(slot, position);
        canonical.Write(MemoryMarshal.AsBytes(_slots[slot].AsSpan()));
    }

    public void ImportSlot(int slot, long position, Stream canonical)
    {
        Table.Lose(slot);
        canonical.ReadExactly(MemoryMarshal.AsBytes(_slots[slot].AsSpan()));
        Table.Set(slot, position);
    }

    /// <summary>In powers of two, so that there are few: each has values of its own.</summary>
    public BatchShape Bucket(BatchShape shape)
    {
        int sequences = (int)BitOperations.RoundUpToPowerOf2((uint)shape.Sequences);
        int tokens = Math.Max(Math.Max(_chunk, sequences), (int)BitOperations.RoundUpToPowerOf2((uint)shape.Tokens));
        return new BatchShape(tokens, sequences, (int)BitOperations.RoundUpToPowerOf2((uint)shape.Outputs));
    }

    public IExecutable Compile(BatchShape shape) => new ReferenceExecutable(this, Bucket(shape));

    public void Dispose()
    {
        MemoryUse held = Memory;
        _memory?.Release(held.Weights + held.States);   // executables give theirs back themselves
        _slots.Clear();
        Array.Clear(Decoded);
    }

    private float[] Take(long floats)
    {
        _memory?.Count(floats * sizeof(float));
        return new float[checked((int)floats)];
    }
}
