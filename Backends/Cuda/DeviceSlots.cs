namespace MambaRT.Backends.Cuda;

/// <summary>The states of the sequences on the device, each slot in canonical order. Slot 0 is scratch.</summary>
internal sealed unsafe class DeviceSlots(StateLayout states, CudaStream stream, long budget) : IDisposable
{
    private readonly List<CudaDeviceMemory> _slots = [];

    /// <summary>Positions of the slots, and what was picked for them last.</summary>
    public SlotTable Table { get; } = new();

    private const int LastPickBytes = 16;

    /// <summary>Bytes of one slot, at any position.</summary>
    public long SlotBytes => states.Bytes(0);

    /// <summary>Where in a slot the token stands that was picked for it last, inverted where it ended a text.</summary>
    public long LastPickAt => SlotBytes;

    /// <summary>Bytes that the device holds for a slot.</summary>
    public static long BytesOf(StateLayout states) => states.Bytes(0) + LastPickBytes;

    public long Bytes => _slots.Sum(s => s.Bytes);

    /// <summary>Where a slot's state begins.</summary>
    public ulong Address(int slot) => _slots[slot].Address;

    /// <summary>Makes room; what is there stays where it is.</summary>
    public void Reserve(int count)
    {
        SlotTable.EnsureWithin(count, SlotBytes, budget);
        while (_slots.Count <= count)
        {
            CudaDeviceMemory slot = NewSlot();
            _slots.Add(slot);
            stream.Clear(slot.Address, slot.Bytes);
        }
        stream.Synchronize("clearing new slots");
        Table.Grow(count);
    }

    private CudaDeviceMemory NewSlot()
    {
        try
        {
            return new CudaDeviceMemory(BytesOf(states), $"the state of slot {_slots.Count}");
        }
        catch (CudaException e) when (e.IsOutOfMemory)
        {
            throw new StateBudgetException($"The device has no memory left for another state of {SlotBytes:N0} bytes beside {_slots.Count}; end sessions that are no longer needed, or choose --backend cpu.", e);
        }
    }

    public void Clear(int slot)
    {
        stream.Clear(_slots[slot].Address, _slots[slot].Bytes);
        stream.Synchronize("clearing a slot");
        Table.Set(slot, 0);
    }

    public void Copy(int from, int to, long position)
    {
        Table.Copy(from, to, position);
        stream.Copy(_slots[to].Address, _slots[from].Address, _slots[to].Bytes);
        stream.Synchronize("copying a slot");
    }

    public void Export(int slot, long position, Stream canonical)
    {
        Table.Ensure(slot, position);
        byte[] bytes = new byte[SlotBytes];
        fixed (byte* to = bytes) stream.CopyToHost(to, _slots[slot].Address, bytes.Length);
        stream.Synchronize("reading a slot");
        canonical.Write(bytes);
    }

    public void Import(int slot, long position, Stream canonical)
    {
        byte[] bytes = new byte[SlotBytes];
        canonical.ReadExactly(bytes);
        Table.Lose(slot);
        fixed (byte* from = bytes)
        {
            stream.CopyToDevice(_slots[slot].Address, from, bytes.Length);
            stream.Synchronize("writing a slot");
        }
        Table.Set(slot, position);
    }

    public void Dispose()
    {
        foreach (CudaDeviceMemory slot in _slots) slot.Dispose();
        _slots.Clear();
    }
}
