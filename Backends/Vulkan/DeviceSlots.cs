using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>
/// The states of the sequences on the device, in one buffer: for each state of the plan a list of what the slots hold, so that an op binds its own list.
/// Behind them lies what was picked for each slot last. Slot 0 is scratch.
/// </summary>
internal sealed unsafe class DeviceSlots(StateLayout states, VulkanDevice device, CommandLane lane, Transfers transfers, long budget) : IDisposable
{
    private const int AlignedFloats = 64;

    private VulkanBuffer? _memory;
    private long[] _lists = [];
    private int _capacity;

    /// <summary>Positions of the slots, and what was picked for them last.</summary>
    public SlotTable Table { get; } = new();

    /// <summary>Bytes of one slot, at any position.</summary>
    public long SlotBytes => states.Bytes(0);

    public long Bytes => _memory?.Bytes ?? 0;

    /// <summary>Counts how often the states moved: what was recorded with an earlier number must be recorded again.</summary>
    public int Moves { get; private set; }

    /// <summary>What all slots hold of one state.</summary>
    public BufferSlice this[StateRef state] => List(_memory!, _lists, _capacity, state.Index);   // slots are reserved before anything is recorded

    /// <summary>The token that was picked for each slot last, inverted where that ended a text.</summary>
    public BufferSlice LastPicks => List(_memory!, _lists, _capacity, LastPickList);   // as above

    /// <summary>Makes room; what slots hold is kept.</summary>
    public void Reserve(int count)
    {
        SlotTable.EnsureWithin(count, SlotBytes, budget);
        if (count + 1 > _capacity) Move(Capacity(count + 1));
        Table.Grow(count);
    }

    public void Clear(int slot)
    {
        const string What = "clearing a slot";
        CommandBuffer commands = lane.Begin(What);
        for (int i = 0; i < states.Entries.Length; i++)
            if (Of(i, slot) is { Bytes: > 0 } place) device.Api.CmdFillBuffer(commands, place.Handle, (ulong)place.Offset, (ulong)place.Bytes, 0);
        lane.Run(What);
        Table.Set(slot, 0);
    }

    public void Copy(int from, int to, long position)
    {
        Table.Copy(from, to, position);
        if (from == to) return;
        const string What = "copying a slot";
        CommandBuffer commands = lane.Begin(What);
        for (int i = 0; i <= LastPickList; i++) Copy(commands, Of(i, from), Of(i, to));
        lane.Run(What);
    }

    public void Export(int slot, long position, Stream canonical)
    {
        Table.Ensure(slot, position);
        lane.Wait("reading a state");
        byte[] bytes = new byte[SlotBytes];
        for (int i = 0; i < states.Entries.Length; i++)
            if (Of(i, slot) is { Bytes: > 0 } place) transfers.Read(place, _memory!, Canonical(bytes, i));
        canonical.Write(bytes);
    }

    public void Import(int slot, long position, Stream canonical)
    {
        byte[] bytes = new byte[SlotBytes];
        Table.Lose(slot);
        canonical.ReadExactly(bytes);
        lane.Wait("writing a state");
        for (int i = 0; i < states.Entries.Length; i++)
        {
            BufferSlice place = Of(i, slot);
            int entry = i;
            if (place.Bytes > 0) transfers.Send(_memory!, place.Offset, place.Bytes, 1, (from, piece) => Canonical(bytes, entry).Slice((int)from, piece.Length).CopyTo(piece));
        }
        transfers.Finish();
        Table.Set(slot, position);
    }

    public void Dispose() => _memory?.Dispose();

    private Span<byte> Canonical(byte[] bytes, int entry) => bytes.AsSpan(checked((int)states.Entries[entry].CanonicalOffset * sizeof(float)), checked((int)states.Entries[entry].Count * sizeof(float)));

    /// <summary>For how many there is room at most where so many are taken.</summary>
    private static long MostSlots(long taken) => taken + taken / 2;

    /// <summary>Bytes of so many slots, with what there is room for ahead.</summary>
    public static long MostBytes(StateLayout states, long taken) =>
        checked(MostSlots(taken) * (states.Bytes(0) + sizeof(int)) + (states.Entries.Length + 1L) * AlignedFloats * sizeof(float));

    /// <summary>Half as many again as before where the budget holds them, so that slots taken one by one move seldom.</summary>
    private int Capacity(int wanted)
    {
        long most = SlotBytes == 0 ? int.MaxValue : Math.Min(budget / SlotBytes + 1, int.MaxValue);
        return (int)Math.Max(wanted, Math.Min(most, MostSlots(_capacity)));
    }

    private void Move(int capacity)
    {
        long[] lists = new long[LastPickList + 1];
        long floats = 0;
        for (int i = 0; i < lists.Length; i++)
        {
            long count = CountOf(i) * capacity;
            if (count * sizeof(float) > device.Traits.MostBoundBytes)
                throw new StateBudgetException($"{capacity} states of {CountOf(i) * sizeof(float):N0} bytes are more than {device.Traits.Name} binds at a time; end sessions that are no longer needed, or choose --backend cpu.");
            lists[i] = floats;
            floats += (count + AlignedFloats - 1) / AlignedFloats * AlignedFloats;
        }
        VulkanBuffer memory = NewMemory(floats * sizeof(float));
        try
        {
            const string What = "making room for states";
            CommandBuffer commands = lane.Begin(What);
            device.Api.CmdFillBuffer(commands, memory.Handle, 0, Vk.WholeSize, 0);
            CommandLane.Barrier(device.Api, commands);
            for (int i = 0; i < lists.Length && _memory is { } old; i++)
                Copy(commands, List(old, _lists, _capacity, i), List(memory, lists, capacity, i));
            lane.Run(What);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
        _memory?.Dispose();
        (_memory, _lists, _capacity) = (memory, lists, capacity);
        Moves++;
    }

    private VulkanBuffer NewMemory(long bytes)
    {
        try
        {
            return new VulkanBuffer(device, bytes, MemoryPlace.Device, "the states");
        }
        catch (VulkanException e) when (e.IsOutOfMemory && _memory is not null)
        {
            throw new StateBudgetException($"The device has no memory left for another state of {SlotBytes:N0} bytes beside {_capacity}; end sessions that are no longer needed, or choose --backend cpu.", e);
        }
    }

    /// <summary>Copies as much as both hold.</summary>
    private void Copy(CommandBuffer commands, BufferSlice from, BufferSlice to)
    {
        var region = new BufferCopy((ulong)from.Offset, (ulong)to.Offset, (ulong)Math.Min(from.Bytes, to.Bytes));
        if (region.Size > 0) device.Api.CmdCopyBuffer(commands, from.Handle, to.Handle, 1, &region);
    }

    private BufferSlice List(VulkanBuffer memory, long[] lists, int capacity, int entry) =>
        new(memory.Handle, lists[entry] * sizeof(float), CountOf(entry) * capacity * sizeof(float));

    private BufferSlice Of(int entry, int slot)
    {
        long bytes = CountOf(entry) * sizeof(float);
        return this[new StateRef(entry)].Part(slot * bytes, bytes);
    }

    /// <summary>Where the last picks stand among the lists.</summary>
    private int LastPickList => states.Entries.Length;

    private long CountOf(int list) => list == LastPickList ? 1 : states.Entries[list].Count;
}
