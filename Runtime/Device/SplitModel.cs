namespace MambaRT.Devices;

/// <summary>A model whose first layers are loaded on one device and whose last ones on another. A slot is the slots of both.</summary>
internal sealed class SplitModel : ILoadedModel
{
    private readonly SplitPlan _plan;
    private readonly ILoadedModel _first, _last;
    private readonly long _stateBudget;

    public SplitModel(SplitPlan plan, ILoadedModel first, ILoadedModel last, LoadOptions options)
    {
        (_plan, _first, _last, _stateBudget, Ends) = (plan, first, last, options.StateBudget, options.EndTokens);
        Table.Grow(Math.Min(first.Slots, last.Slots));
    }

    /// <summary>The whole network.</summary>
    public Plan Plan => _plan.Whole;

    /// <summary>Positions and picks of the slots: what both devices must agree on.</summary>
    public SlotTable Table { get; } = new();

    /// <summary>Tokens that end a text.</summary>
    public IReadOnlyList<int> Ends { get; }

    /// <summary>Runs so far.</summary>
    public long Runs { get; set; }

    /// <summary>The executable whose run is in flight on the second device, or null.</summary>
    public SplitExecutable? Running { get; set; }

    public int Slots => Table.Count;

    public MemoryUse Memory => _first.Memory + _last.Memory;

    public void ReserveSlots(int count)
    {
        if (count <= Slots) return;
        SlotTable.EnsureWithin(count, SlotBytes(0), _stateBudget);
        _first.ReserveSlots(count);
        _last.ReserveSlots(count);
        Table.Grow(count);
    }

    public long SlotBytes(long position) => _first.SlotBytes(position) + _last.SlotBytes(position);

    public long? PositionOf(int slot) => Table.PositionOf(slot);

    public void ClearSlot(int slot)
    {
        Table.Lose(slot);
        _first.ClearSlot(slot);
        _last.ClearSlot(slot);
        Table.Set(slot, 0);
    }

    public void CopySlot(int from, int to, long position)
    {
        Table.Ensure(from, position);
        Table.Lose(to);
        _first.CopySlot(from, to, position);
        _last.CopySlot(from, to, position);
        Table.Copy(from, to, position);
    }

    public void ExportSlot(int slot, long position, Stream canonical)
    {
        Table.Ensure(slot, position);
        (byte[] first, byte[] last) = Buffers(position);
        _first.ExportSlot(slot, position, new MemoryStream(first));
        _last.ExportSlot(slot, position, new MemoryStream(last));
        _plan.Join(first, last, canonical);
    }

    public void ImportSlot(int slot, long position, Stream canonical)
    {
        Table.Lose(slot);
        (byte[] first, byte[] last) = Buffers(position);
        _plan.Part(canonical, first, last);
        _first.ImportSlot(slot, position, new MemoryStream(first));
        _last.ImportSlot(slot, position, new MemoryStream(last));
        Table.Set(slot, position);
    }

    public BatchShape Bucket(BatchShape shape) => _last.Bucket(_first.Bucket(shape));

    public IExecutable Compile(BatchShape shape)
    {
        shape = Bucket(shape);
        IExecutable first = _first.Compile(shape);
        try
        {
            return new SplitExecutable(this, first, _last.Compile(shape), shape);
        }
        catch
        {
            first.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _first.Dispose();
        _last.Dispose();
    }

    private (byte[] First, byte[] Last) Buffers(long position) => (new byte[_plan.First.States.Bytes(position)], new byte[_plan.Last.States.Bytes(position)]);
}
