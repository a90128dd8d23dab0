namespace MambaRT.Backends.Vulkan;

/// <summary>
/// A step of one sequence in one dispatch, whose workgroups wait for each other by memory (relay.comp). Nothing promises that they are under way together, so it is tried first, in the scratch slot.
/// </summary>
internal sealed class RelayStep : IDisposable
{
    /// <summary>How often a value is looked at: in the trial for a few milliseconds, later for as long as a device may be busy with something else.</summary>
    private const uint PollsOfTrial = 1 << 12, PollsOfRun = 1 << 20;

    /// <summary>Threads of a workgroup: with more an H100 has too few registers for each.</summary>
    private const int Threads = 384;

    /// <summary>Threads that share a channel of a scan at most: of Mamba-2, and of Mamba-1.</summary>
    private const int MostLanes = 32, LanesOfChannel = 16;

    /// <summary>Shared memory beside what a phase reads, in bytes: sums of squares, and two phases.</summary>
    private const int SharedBytes = (Threads + 2 * RelayProgram.PhaseWords + 1) * sizeof(float);

    private const int Alignment = 256;

    private readonly VulkanModel _model;
    private readonly RelayProgram _program;
    private readonly VulkanBuffer _words, _exchange, _verdict;
    private int _place;
    private bool _isInDoubt;

    private RelayStep(VulkanModel model, RelayProgram program)
    {
        const string What = "values that workgroups hand on";
        (_model, _program) = (model, program);
        VulkanDevice device = model.Device;
        try
        {
            _words = new VulkanBuffer(device, (long)program.Words.Length * sizeof(uint), MemoryPlace.Device, What);
            _exchange = new VulkanBuffer(device, 2L * program.Values * sizeof(float), MemoryPlace.Device, What);
            _verdict = new VulkanBuffer(device, 2 * Alignment, MemoryPlace.Host, What);
            byte[] words = System.Runtime.InteropServices.MemoryMarshal.AsBytes(program.Words).ToArray();
            model.Transfers.Send(_words, 0, words.Length, sizeof(uint), (from, piece) => words.AsSpan((int)from, piece.Length).CopyTo(piece));
            Clear();
            for (int turn = 0; turn < 2; turn++) Forget(turn);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes on the device.</summary>
    public long Bytes => _words.Bytes + _exchange.Bytes;

    /// <summary>Makes what runs a plan so; null where that has no phases for it.</summary>
    public static RelayStep? For(VulkanModel model, DeviceWeights weights, DeviceSlots slots) =>
        model.Device.RelayGroups > 0 && RelayProgram.For(model.Plan, model.Steps, weights, slots, model.Device) is { } program
            && program.Room * sizeof(float) + SharedBytes <= model.Device.Traits.SharedBytes ? new RelayStep(model, program) : null;

    /// <summary>The dispatch.</summary>
    public Dispatch Dispatch(BufferSlice table, BufferSlice logits, int turn, int groups, bool isTrial = false)
    {
        ulong address = _model.Device.AddressOf(logits);
        const BufferAccess Both = BufferAccess.Reads | BufferAccess.Writes;
        DeviceTraits traits = _model.Device.Traits;
        int threads = Math.Min(Threads, traits.MostThreads), lanes = traits.SubgroupSize, sharing = 1;
        while (sharing < Math.Min(lanes, _program.IsSsd ? MostLanes : LanesOfChannel) && sharing < _program.States) sharing *= 2;
        var shader = new ShaderKey("relay", (uint)threads, (uint)lanes, (uint)_program.Room, Math.Max(_program.Halves, 1), _program.HasBytes ? 1u : 0,
            (uint)Math.Max(_program.States, 1), (uint)sharing, _program.IsSsd ? 1u : 0, (uint)_program.Together, _program.IsEven ? 1u : 0, (uint)_program.Taps, _program.FormOfDt, _program.HasFew(threads / lanes * groups) ? 1u : 0);
        uint polls = isTrial || traits.IsSoftware ? PollsOfTrial : PollsOfRun;
        var push = new RelayPush { MostPolls = polls, Phases = (uint)_program.Phases, LogitsLow = (uint)address, LogitsHigh = (uint)(address >> 32), Values = (uint)_program.Values };
        return new Dispatch("a step", shader, [new(0, table), new(1, _words.Whole), new(2, _exchange.Whole, Both), new(3, Verdict(turn), Both)],
            PushBytes.Of(push), (uint)groups, 1);
    }

    /// <summary>
    /// Where the next run has its values: each clears those of the one before, so that they take turns. Where it was not said that that one has gone, all values are cleared, as soon as no run is under way.
    /// </summary>
    public int NextPlace()
    {
        if (_isInDoubt) Clear();
        _isInDoubt = true;
        return _place ^= 1;
    }

    /// <summary>Says that the run that was given a place last is sent, or over and all its workgroups met.</summary>
    public void HasGone() => _isInDoubt = false;

    /// <summary>Begins a turn.</summary>
    public void Forget(int turn) => _verdict.Span<uint>(turn * Alignment, 1)[0] = 0;

    /// <summary>Whether all workgroups of a turn that is over met.</summary>
    public bool HasMet(int turn) => _verdict.Span<uint>(turn * Alignment, 1)[0] == 0;

    public void Dispose()
    {
        _words?.Dispose();
        _exchange?.Dispose();
        _verdict?.Dispose();
    }

    private void Clear()
    {
        _model.Lane.Settle();
        _model.Transfers.Send(_exchange, 0, _exchange.Bytes, sizeof(float), (_, piece) => piece.Clear());
        _model.Transfers.Finish();
    }

    private BufferSlice Verdict(int turn) => _verdict.Whole.Part(turn * Alignment, Alignment);
}
