using System.Numerics;
using MambaRT.Formats;

namespace MambaRT.Backends.Vulkan;

/// <summary>Weights and slots of a model on the device.</summary>
internal sealed class VulkanModel : ILoadedModel
{
    private readonly int _chunk;
    private DeviceWeights? _weights;
    private DeviceSlots? _slots;
    private PickLists? _lists;

    public VulkanModel(Plan plan, IWeightSource source, LoadOptions options, VulkanDevice device, PipelineLibrary pipelines, CancellationToken cancel)
    {
        (Plan, Source, Device, Pipelines) = (plan, source, device, pipelines);
        (Observer, _chunk) = (options.Observer, options.ChunkTokens);
        Steps = StepDispatches.Groups(plan);
        RelayGroups = device.RelayGroups;
        Lane = new CommandLane(device);
        Transfers = new Transfers(device, Lane);
        try
        {
            _weights = new DeviceWeights(plan, source, device, Transfers, options, cancel);
            _slots = new DeviceSlots(plan.States, device, Lane, Transfers, options.StateBudget);
            _slots.Reserve(options.Slots);
            _lists = new PickLists(new HiddenTokens(plan.VocabularySize, options.NeverPicked, options.EndTokens), device, Transfers);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Plan Plan { get; }

    public IWeightSource Source { get; }

    public VulkanDevice Device { get; }

    public PipelineLibrary Pipelines { get; }

    public CommandLane Lane { get; }

    public Transfers Transfers { get; }

    /// <summary>The ops that shaders of a step do together.</summary>
    public StepGroups Steps { get; }

    /// <summary>Sees what the projections read, or null.</summary>
    public IActivationObserver? Observer { get; }

    /// <summary>Tokens that picks leave out.</summary>
    public PickLists PickLists => Open(_lists);

    /// <summary>Workgroups of a step in one dispatch; 0 where a step goes by several.</summary>
    public int RelayGroups { get; set; }

    /// <summary>Whether it was tried with so many.</summary>
    public bool HasTriedRelay { get; set; }

    /// <summary>Bytes of the scratch of the executables alive.</summary>
    public long ScratchBytes { get; set; }

    /// <summary>Runs so far.</summary>
    public long Runs { get; set; }

    /// <summary>Not with a piece of a plan, which waits for what another hands on.</summary>
    public bool WorksAhead => Plan.Logits is not null && Plan.CarriedIn.IsEmpty;

    /// <summary>The executable that has runs in flight, or null.</summary>
    public VulkanExecutable? Running { get; set; }

    public int Slots => Open(_slots).Table.Count;

    public MemoryUse Memory => new(Open(_weights).Bytes, Open(_slots).Bytes, ScratchBytes, OnDevice: true);

    public void ReserveSlots(int count)
    {
        if (count > Open(_slots).Table.Count) Open(_slots).Reserve(count);
    }

    public long SlotBytes(long position) => Open(_slots).SlotBytes;

    public long? PositionOf(int slot) => Open(_slots).Table.PositionOf(slot);

    public void ClearSlot(int slot) => Open(_slots).Clear(slot);

    public void CopySlot(int from, int to, long position) => Open(_slots).Copy(from, to, position);

    public void ExportSlot(int slot, long position, Stream canonical) => Open(_slots).Export(slot, position, canonical);

    public void ImportSlot(int slot, long position, Stream canonical) => Open(_slots).Import(slot, position, canonical);

    /// <summary>An executable records commands for the shapes within its own, so one serves prompts and decode; sequences and logits come in powers of two.</summary>
    public BatchShape Bucket(BatchShape shape)
    {
        int sequences = (int)BitOperations.RoundUpToPowerOf2((uint)shape.Sequences);
        int tokens = Math.Max(Math.Max(_chunk, sequences), (int)BitOperations.RoundUpToPowerOf2((uint)shape.Tokens));
        return new BatchShape(tokens, sequences, (int)BitOperations.RoundUpToPowerOf2((uint)shape.Outputs));
    }

    public IExecutable Compile(BatchShape shape) => new VulkanExecutable(this, Open(_slots), Open(_weights), Bucket(shape));

    public void Dispose()
    {
        Lane.Settle();
        _slots?.Dispose();
        _weights?.Dispose();
        _lists?.Dispose();
        Transfers.Dispose();
        Lane.Dispose();
        Pipelines.Keep();
        (_slots, _weights, _lists) = (null, null, null);
    }

    private T Open<T>(T? part) where T : class => part ?? throw new ObjectDisposedException(GetType().Name);
}
