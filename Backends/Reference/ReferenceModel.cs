using System.Runtime.InteropServices;
using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Backends.Reference;

/// <summary>Weights and slots of the reference backend. A slot is one array in canonical order.</summary>
internal sealed class ReferenceModel : ILoadedModel
{
    private readonly IWeightSource _source;
    private readonly List<float[]> _slots = [[]];

    public ReferenceModel(Plan plan, IWeightSource source, LoadOptions options)
    {
        Plan = plan;
        _source = source;
        Observer = options.Observer;
        Views = new TensorView[plan.Weights.Length];
        Decoded = new float[plan.Weights.Length][];
        for (int i = 0; i < plan.Weights.Length; i++)
        {
            WeightSpec spec = plan.Weights[i];
            if (!source.TryGet(spec.Name, out Views[i])) throw new FormatException($"Tensor '{spec.Name}' is missing. Re-convert the model.");
        }
        Finite = new FiniteWeights(plan, Views, options.Subject);
        for (int i = 0; i < plan.Weights.Length; i++)
        {
            WeightSpec spec = plan.Weights[i];
            if (spec.Role is not (WeightRole.Vector or WeightRole.SmallMatrix)) continue;
            Decoded[i] = new float[spec.Count];
            for (int row = 0; row < Views[i].Rows; row++)
                Views[i].DecodeRow(row, Decoded[i].AsSpan(row * Views[i].Columns, Views[i].Columns));
        }
        EnsureSlots(options.Slots);
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

    public int Slots => _slots.Count - 1;

    public long ResidentBytes => _slots.Sum(s => (long)s.Length * sizeof(float)) + Decoded.Sum(d => (d?.Length ?? 0L) * sizeof(float));

    public void EnsureReadable() => _source.EnsureReadable();

    /// <summary>One state of one slot, canonical: [rows, columns].</summary>
    public Span<float> State(int slot, StateRef state)
    {
        StateSpec spec = Plan.States.Entries[state.Index];
        return _slots[slot].AsSpan((int)spec.CanonicalOffset, (int)spec.Count);
    }

    public void EnsureSlots(int count)
    {
        while (Slots < count) _slots.Add(new float[checked((int)Plan.States.Floats)]);
    }

    public void ClearSlot(int slot) => _slots[slot].AsSpan().Clear();

    public void CopySlot(int from, int to) => _slots[from].AsSpan().CopyTo(_slots[to]);

    public void ExportSlot(int slot, Span<byte> canonical) => MemoryMarshal.AsBytes(_slots[slot].AsSpan()).CopyTo(canonical);

    public void ImportSlot(int slot, ReadOnlySpan<byte> canonical) => canonical.CopyTo(MemoryMarshal.AsBytes(_slots[slot].AsSpan()));

    public IExecutable Compile(BatchShape shape) => new ReferenceExecutable(this, shape);

    public void Dispose() => _slots.Clear();
}
