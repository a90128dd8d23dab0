using System.Runtime.InteropServices;
using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Backends.Cpu;

/// <summary>Weights and slots in the CPU's own layout.</summary>
/// <remarks>
/// Convolution taps and windows lie time-major, [taps, channels], so that lanes are channels. A Mamba-1 scan's A and h lie in groups of channels, as
/// <see cref="LaneLayout"/> says; so does a Mamba-2 scan's h where emitted code advances it, else as in the canonical form. Projections stay in the file.
/// </remarks>
internal sealed unsafe class CpuModel : ILoadedModel
{
    private readonly IWeightSource _source;
    private readonly CodeCache? _code;
    private readonly NativeBuffer?[] _decoded;
    private readonly long[] _stateOffsets;
    private readonly LaneLayout?[] _layouts;
    private readonly long _slotFloats;
    private readonly List<NativeBuffer> _slots = [];

    public CpuModel(Plan plan, IWeightSource source, LoadOptions options, ThreadTeam team, CpuIsa isa)
    {
        Plan = plan;
        ArenaRows = new ArenaRows(plan);
        Team = team;
        Isa = isa;
        _code = isa == CpuIsa.Auto && Avx512Support.IsAvailable ? new CodeCache() : null;
        Observer = options.Observer;
        _source = source;
        Views = new TensorView[plan.Weights.Length];
        _decoded = new NativeBuffer?[plan.Weights.Length];
        for (int i = 0; i < Views.Length; i++)
            if (!source.TryGet(plan.Weights[i].Name, out Views[i]))
                throw new FormatException($"Tensor '{plan.Weights[i].Name}' is missing. Re-convert the model.");

        Finite = new FiniteWeights(plan, Views, options.Subject);

        _stateOffsets = new long[plan.States.Entries.Length];
        _layouts = new LaneLayout?[plan.States.Entries.Length];
        foreach (Op op in plan.Ops)
        {
            foreach (WeightRef w in op.Weights)
                if (plan.Weights[w.Index].Role == WeightRole.Vector) _decoded[w.Index] ??= DecodeFlat(w);
            if (op is CausalConvOp conv) _decoded[conv.Weight.Index] ??= Transposed(conv.Weight);
            if (op is SelectiveScanOp scan)
            {
                var layout = new LaneLayout(ScanLanes(scan.DState), plan.Weights[scan.A.Index].Rows, scan.DState);
                _decoded[scan.A.Index] ??= Grouped(scan.A, layout);
                _layouts[scan.State.Index] = layout;
            }
            if (op is SsdScanOp ssd && Code != null) _layouts[ssd.State.Index] = new LaneLayout(SsdScanCode.Lanes, ssd.HeadDim, ssd.DState);
        }
        for (int i = 0; i < _stateOffsets.Length; i++)
        {
            _stateOffsets[i] = _slotFloats;
            _slotFloats += (StateFloats(i) + 15) / 16 * 16;
        }
        EnsureSlots(Math.Max(options.Slots, 1));
    }

    public Plan Plan { get; }

    /// <summary>Where the values of the plan lie in an executable's arena.</summary>
    public ArenaRows ArenaRows { get; }

    public ThreadTeam Team { get; }

    /// <summary>The instructions that may be used.</summary>
    public CpuIsa Isa { get; }

    /// <summary>The emitted AVX-512 kernels, or null where there are none.</summary>
    public CodeCache? Code => Avx512Support.IsAvailable ? _code : null;

    /// <summary>Channels of a group of the selective scan.</summary>
    public int ScanLanes(int dState) => Code != null && dState <= SelectiveScanCode.MostStates ? SelectiveScanCode.Lanes : SelectiveScanStep.Lanes;

    /// <summary>Sees what the projections read, or null.</summary>
    public IActivationObserver? Observer { get; }

    /// <summary>All weights as they lie in the file.</summary>
    public TensorView[] Views { get; }

    /// <summary>Asked before weights are read for the first time.</summary>
    public FiniteWeights Finite { get; }

    public int Slots => _slots.Count - 1;

    /// <summary>Bytes of the scratch of the executables alive.</summary>
    public long ScratchBytes { get; set; }

    public long ResidentBytes => ScratchBytes + _slots.Sum(s => s.Bytes) + _decoded.Sum(d => d?.Bytes ?? 0);

    /// <summary>A vector or small matrix in float32, in this backend's layout.</summary>
    public float* Decoded(WeightRef weight) => (float*)_decoded[weight.Index]!.Address;   // the constructor decoded every weight that a step asks for

    /// <summary>A state of a slot in this backend's layout.</summary>
    public float* State(int slot, StateRef state) => (float*)_slots[slot].Address + _stateOffsets[state.Index];

    public void EnsureReadable() => _source.EnsureReadable();

    public void EnsureSlots(int count)
    {
        while (Slots < count) _slots.Add(new NativeBuffer(_slotFloats * sizeof(float)));
    }

    public void ClearSlot(int slot) => NativeMemory.Clear((void*)_slots[slot].Address, (nuint)_slots[slot].Bytes);

    public void CopySlot(int from, int to) =>
        Buffer.MemoryCopy((void*)_slots[from].Address, (void*)_slots[to].Address, _slots[to].Bytes, _slots[from].Bytes);

    public void ExportSlot(int slot, Span<byte> canonical)
    {
        CheckCanonical(canonical.Length);
        for (int i = 0; i < Plan.States.Entries.Length; i++)
        {
            StateSpec spec = Plan.States.Entries[i];
            Span<float> target = MemoryMarshal.Cast<byte, float>(canonical).Slice((int)spec.CanonicalOffset, (int)spec.Count);
            float* own = State(slot, new StateRef(i));
            for (int row = 0; row < spec.Rows; row++)
                for (int column = 0; column < spec.Columns; column++)
                    target[row * spec.Columns + column] = own[Index(i, spec, row, column)];
        }
    }

    public void ImportSlot(int slot, ReadOnlySpan<byte> canonical)
    {
        CheckCanonical(canonical.Length);
        for (int i = 0; i < Plan.States.Entries.Length; i++)
        {
            StateSpec spec = Plan.States.Entries[i];
            ReadOnlySpan<float> from = MemoryMarshal.Cast<byte, float>(canonical).Slice((int)spec.CanonicalOffset, (int)spec.Count);
            float* own = State(slot, new StateRef(i));
            for (int row = 0; row < spec.Rows; row++)
                for (int column = 0; column < spec.Columns; column++)
                    own[Index(i, spec, row, column)] = from[row * spec.Columns + column];
        }
    }

    public IExecutable Compile(BatchShape shape) => new CpuExecutable(this, shape);

    public void Dispose()
    {
        foreach (NativeBuffer slot in _slots) slot.Dispose();
        foreach (NativeBuffer? weight in _decoded) weight?.Dispose();
        _slots.Clear();
        Code?.Dispose();
    }

    /// <summary>Where [row, column] of a canonical state lies in this backend's layout.</summary>
    private long Index(int state, in StateSpec spec, int row, int column) =>
        spec.Kind == StateKind.ConvWindow ? (long)column * spec.Rows + row
        : _layouts[state] is LaneLayout layout ? layout.Index(row, column)
        : (long)row * spec.Columns + column;

    private long StateFloats(int state)
    {
        StateSpec spec = Plan.States.Entries[state];
        return _layouts[state] is LaneLayout layout ? layout.Floats(spec.Rows) : spec.Count;
    }

    private void CheckCanonical(int bytes)
    {
        if (bytes != Plan.States.Bytes) throw new ArgumentException($"A state of {bytes} bytes was given; this model's has {Plan.States.Bytes}.");
    }

    private NativeBuffer DecodeFlat(WeightRef weight)
    {
        TensorView view = Views[weight.Index];
        var buffer = new NativeBuffer(((long)view.Rows * view.Columns + 7) / 8 * 8 * sizeof(float));
        for (int row = 0; row < view.Rows; row++) view.DecodeRow(row, buffer.Span<float>((long)row * view.Columns * sizeof(float), view.Columns));
        return buffer;
    }

    private NativeBuffer Transposed(WeightRef weight)
    {
        TensorView view = Views[weight.Index];
        var buffer = new NativeBuffer((long)view.Rows * view.Columns * sizeof(float));
        float* target = (float*)buffer.Address;
        Span<float> values = new float[view.Columns];
        for (int row = 0; row < view.Rows; row++)
        {
            view.DecodeRow(row, values);
            for (int column = 0; column < values.Length; column++) target[(long)column * view.Rows + row] = values[column];
        }
        return buffer;
    }

    /// <summary>A in groups of channels, times log2 e so that the scan needs only 2^x.</summary>
    private NativeBuffer Grouped(WeightRef weight, LaneLayout layout)
    {
        TensorView view = Views[weight.Index];
        var buffer = new NativeBuffer(layout.Floats(view.Rows) * sizeof(float));
        float* target = (float*)buffer.Address;
        Span<float> values = new float[view.Columns];
        for (int row = 0; row < view.Rows; row++)
        {
            view.DecodeRow(row, values);
            float* first = target + layout.Index(row, 0);
            for (int n = 0; n < values.Length; n++) first[(long)n * layout.Lanes] = (float)(values[n] * Math.Log2(Math.E));
        }
        return buffer;
    }
}
