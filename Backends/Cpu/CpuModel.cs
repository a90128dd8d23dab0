using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Weights and slots in the CPU's own layout.</summary>
/// <remarks>
/// Convolution taps and windows lie time-major, [taps, channels], so that lanes are channels. A Mamba-1 scan's A and h lie in groups of channels, as
/// <see cref="LaneLayout"/> says; so does a Mamba-2 scan's h where emitted code advances it, else as in the canonical form. Projections stay in the file.
/// </remarks>
internal sealed unsafe class CpuModel : ILoadedModel
{
    /// <summary>Bytes of a state that are copied in less than 0.1 ms, also into memory that is touched for the first time.</summary>
    private const long CopiedAtOnce = 128 << 10;

    private readonly IWeightSource _source;
    private readonly CodeCache? _code;
    private readonly NativeBuffer?[] _decoded;
    private readonly long[] _stateOffsets;
    private readonly LaneLayout?[] _layouts;
    private readonly long _slotFloats;
    private readonly long _stateBudget;
    private readonly int _chunk;
    private readonly SlotTransfer _transfer;
    private readonly List<NativeBuffer> _slots = [];
    private readonly List<CpuExecutable> _executables = [];
    private NativeBuffer _arena = new(0);
    private bool _touchesArena;

    /// <summary>Not native memory: a reader of logits keeps them alive, whoever disposes the model meanwhile.</summary>
    private float[] _logits = [];

    public CpuModel(Plan plan, IWeightSource source, LoadOptions options, ITeam team, CpuIsa isa)
    {
        Plan = plan;
        _stateBudget = options.StateBudget;
        _chunk = options.ChunkTokens;
        NeverPicked = options.NeverPicked;
        EndTokens = options.EndTokens;
        HostMemory = options.Memory;
        _transfer = new SlotTransfer(plan.States, HostMemory);
        Layout = new ArenaLayout(plan, ArenaRows.Stride);
        Team = team;
        Isa = isa;
        _code = isa == CpuIsa.Auto && Avx512Support.IsAvailable ? new CodeCache() : null;
        Observer = options.Observer;
        _source = source;
        Views = new TensorView[plan.Weights.Length];
        _decoded = new NativeBuffer?[plan.Weights.Length];
        for (int i = 0; i < Views.Length; i++)
            if (!plan.Weights[i].TryFind(source, out Views[i]))
                throw new FormatException($"Tensor '{plan.Weights[i].Name}' is missing. Re-convert the model.");

        Finite = new FiniteWeights(plan, Views, options.Subject);

        _stateOffsets = new long[plan.States.Entries.Length];
        _layouts = new LaneLayout?[plan.States.Entries.Length];
        try
        {
            foreach (Op op in plan.Ops)
            {
                if (op is CausalConvOp conv) _decoded[conv.Weight.Index] ??= Transposed(conv.Weight);
                if (op is SelectiveScanOp scan)
                {
                    var layout = new LaneLayout(ScanLanes(scan.DState), plan.Weights[scan.A.Index].Rows, scan.DState);
                    _decoded[scan.A.Index] ??= Grouped(scan.A, layout);
                    _layouts[scan.State.Index] = layout;
                }
                if (op is SsdScanOp ssd && Code != null) _layouts[ssd.State.Index] = new LaneLayout(SsdScanCode.Lanes, ssd.HeadDim, ssd.DState);
                foreach (WeightRef w in op.Weights)
                    if (plan.Weights[w.Index].IsDecoded) _decoded[w.Index] ??= DecodeFlat(w);
            }
            for (int i = 0; i < _stateOffsets.Length; i++)
            {
                _stateOffsets[i] = _slotFloats;
                _slotFloats += (StateFloats(i) + 15) / 16 * 16;
            }
            ReserveSlots(Math.Max(options.Slots, 1));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Plan Plan { get; }

    /// <summary>Where the values of the plan lie in an executable's arena.</summary>
    public ArenaLayout Layout { get; }

    public ITeam Team { get; }

    /// <summary>What native memory is counted by and taken from; null for the system's.</summary>
    public HostMemory? HostMemory { get; }

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

    /// <summary>Positions and picks of the slots.</summary>
    public SlotTable Table { get; } = new();

    /// <summary>Runs so far.</summary>
    public long Runs { get; set; }

    /// <summary>The executable whose run is advanced for a time and not over, or null: its values lie in the arena.</summary>
    public CpuExecutable? UnderWay { get; set; }

    public int Slots => Table.Count;

    public MemoryUse Memory => new(_decoded.Sum(d => d?.Bytes ?? 0), _slots.Sum(s => s.Bytes), _arena.Bytes + BytesOf(_logits) + _executables.Sum(e => e.ScratchBytes), OnDevice: false);

    /// <summary>What the executables compute in, one at a time.</summary>
    public float* Arena => (float*)_arena.Address;

    /// <summary>Where the executables write logits.</summary>
    public float* Logits => AddressOf(_logits);

    /// <summary>Tokens that are never picked.</summary>
    public IReadOnlyList<int> NeverPicked { get; }

    /// <summary>Tokens that end a text.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>A vector or small matrix in float32, in this backend's layout.</summary>
    public float* Decoded(WeightRef weight) => (float*)_decoded[weight.Index]!.Address;   // the constructor decoded every weight that a step asks for

    /// <summary>A state of a slot in this backend's layout.</summary>
    public float* State(int slot, StateRef state) => (float*)_slots[slot].Address + _stateOffsets[state.Index];

    public void EnsureReadable() => _source.EnsureReadable();

    public void ReserveSlots(int count)
    {
        if (count <= Slots) return;
        SlotTable.EnsureWithin(count, SlotBytes(0), _stateBudget);
        while (_slots.Count <= count) _slots.Add(new NativeBuffer(_slotFloats * sizeof(float), HostMemory, inParts: true));   // the scratch slot before the first
        Table.Grow(count);
    }

    public long SlotBytes(long position) => _slotFloats * sizeof(float);

    public long? PositionOf(int slot) => Table.PositionOf(slot);

    public void ClearSlot(int slot)
    {
        NativeMemory.Clear((void*)_slots[slot].Address, (nuint)_slots[slot].Bytes);
        Table.Set(slot, 0);
    }

    public void CopySlot(int from, int to, long position)
    {
        Table.Copy(from, to, position);
        Buffer.MemoryCopy((void*)_slots[from].Address, (void*)_slots[to].Address, _slots[to].Bytes, _slots[from].Bytes);
    }

    public bool CopyPart(int from, int to, long position, ref long done)
    {
        if (from > 0) Table.Ensure(from, position);
        Table.Lose(to);
        long bytes = Math.Min(CopiedAtOnce, _slots[to].Bytes - done);
        byte* target = (byte*)_slots[to].Address + done;
        if (from > 0) Buffer.MemoryCopy((byte*)_slots[from].Address + done, target, bytes, bytes);
        else NativeMemory.Clear(target, (nuint)bytes);
        done += bytes;
        if (done < _slots[to].Bytes) return false;
        if (from > 0) Table.Copy(from, to, position);
        else Table.Set(to, 0);
        return true;
    }

    public void ExportSlot(int slot, long position, Stream canonical)
    {
        Table.Ensure(slot, position);
        foreach (int i in Plan.States.CanonicalOrder) _transfer.Export(Plan.States.Entries[i], _layouts[i], State(slot, new StateRef(i)), canonical);
    }

    public void ImportSlot(int slot, long position, Stream canonical)
    {
        Table.Lose(slot);
        foreach (int i in Plan.States.CanonicalOrder) _transfer.Import(Plan.States.Entries[i], _layouts[i], State(slot, new StateRef(i)), canonical);
        Table.Set(slot, position);
    }

    /// <summary>Steps take any number of rows up to their capacity, so one executable serves prompts and decode; only logits and spans come in sizes.</summary>
    public BatchShape Bucket(BatchShape shape)
    {
        int sequences = (int)BitOperations.RoundUpToPowerOf2((uint)shape.Sequences);
        int tokens = Math.Max(Math.Max(_chunk, sequences), (int)BitOperations.RoundUpToPowerOf2((uint)shape.Tokens));
        return new BatchShape(tokens, sequences, (int)BitOperations.RoundUpToPowerOf2((uint)shape.Outputs));
    }

    public IExecutable Compile(BatchShape shape)
    {
        EnsureNoneUnderWay();
        var executable = new CpuExecutable(this, Bucket(shape));
        int logits = Plan.Logits is null ? 0 : checked(Plan.VocabularySize * executable.Shape.Outputs);
        if (executable.ArenaBytes > _arena.Bytes || logits > _logits.Length) Enlarge(executable, logits);
        else executable.Use(executable.StepsOver(Arena, Logits));
        _executables.Add(executable);
        return executable;
    }

    /// <summary>Touches what executables compute in, from now on when it is made: its huge pages take up to milliseconds each, all else is touched in small parts.</summary>
    public void TouchArena()
    {
        if (_touchesArena) return;
        _touchesArena = true;
        _arena.Touch();
    }

    /// <summary>Makes room for an executable, its steps and those of the others there; where memory is short, all is as it was.</summary>
    private void Enlarge(CpuExecutable added, int logits)
    {
        NativeBuffer arena = _arena;
        float[] rows = _logits;
        var made = new List<CpuCompiler>();
        try
        {
            if (added.ArenaBytes > _arena.Bytes) arena = new NativeBuffer(added.ArenaBytes, HostMemory);
            if (_touchesArena && arena != _arena) arena.Touch();
            if (logits > _logits.Length) rows = NewLogits(logits);
            foreach (CpuExecutable executable in (CpuExecutable[])[.. _executables, added]) made.Add(executable.StepsOver((float*)arena.Address, AddressOf(rows)));
        }
        catch
        {
            foreach (CpuCompiler steps in made) steps.Dispose();
            if (rows != _logits) HostMemory?.Release(BytesOf(rows));
            if (arena != _arena) arena.Dispose();
            throw;
        }
        if (rows != _logits) HostMemory?.Release(BytesOf(_logits));
        if (arena != _arena) _arena.Dispose();
        (_arena, _logits) = (arena, rows);
        for (int i = 0; i < _executables.Count; i++) _executables[i].Use(made[i]);
        added.Use(made[^1]);
    }

    private float[] NewLogits(int count)
    {
        HostMemory?.Count((long)count * sizeof(float));
        return GC.AllocateUninitializedArray<float>(count, pinned: true);
    }

    private static long BytesOf(float[] values) => (long)values.Length * sizeof(float);

    private static float* AddressOf(float[] pinned) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));

    /// <summary>Refuses what would write into the values of a run that is not over.</summary>
    public void EnsureNoneUnderWay()
    {
        if (UnderWay is not null) throw new InvalidOperationException("A run that is advanced for a time is not over; advance it to its end, or give it up.");
    }

    /// <summary>The first rows of logits of the last run.</summary>
    public ReadOnlySpan<float> LogitRows(int rows) => _logits.AsSpan(0, Plan.Logits is null ? 0 : rows * Plan.VocabularySize);

    /// <summary>Forgets an executable that was disposed.</summary>
    public void Forget(CpuExecutable executable) => _executables.Remove(executable);

    public void Dispose()
    {
        foreach (CpuExecutable executable in _executables.ToArray()) executable.Dispose();
        foreach (NativeBuffer slot in _slots) slot.Dispose();
        _arena.Dispose();
        _transfer.Dispose();
        foreach (NativeBuffer? weight in _decoded) weight?.Dispose();
        _slots.Clear();
        HostMemory?.Release(BytesOf(_logits));
        _logits = [];
        Code?.Dispose();
    }

    private long StateFloats(int state)
    {
        StateSpec spec = Plan.States.Entries[state];
        return _layouts[state] is LaneLayout layout ? layout.Floats(spec.Rows) : spec.Count;
    }

    private NativeBuffer DecodeFlat(WeightRef weight)
    {
        TensorView view = Views[weight.Index];
        var buffer = new NativeBuffer(((long)view.Rows * view.Columns + 7) / 8 * 8 * sizeof(float), HostMemory);
        for (int row = 0; row < view.Rows; row++) view.DecodeRow(row, buffer.Span<float>((long)row * view.Columns * sizeof(float), view.Columns));
        return buffer;
    }

    private NativeBuffer Transposed(WeightRef weight)
    {
        TensorView view = Views[weight.Index];
        var buffer = new NativeBuffer((long)view.Rows * view.Columns * sizeof(float), HostMemory);
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
        var buffer = new NativeBuffer(layout.Floats(view.Rows) * sizeof(float), HostMemory);
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
