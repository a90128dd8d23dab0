using System.Numerics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cuda;

/// <summary>Weights and slots of a model on the device.</summary>
internal sealed class CudaModel : ILoadedModel
{
    /// <summary>What is said where kernels are still compiled when the weights are there, which the driver does once.</summary>
    private const string Compiling = "compiling kernels for this device, which is done once";

    /// <summary>Kernels that the driver has kept come within less, in milliseconds.</summary>
    private const int KeptKernels = 300;

    private readonly CudaContext _context;
    private readonly int _chunk;

    public CudaModel(Plan plan, IWeightSource source, LoadOptions options, CudaContext context, KernelLibrary kernels, bool exact, CancellationToken cancel)
    {
        Plan = plan;
        _context = context;
        Kernels = kernels;
        HasTensorCores = kernels.Capability >= 80;
        IsExact = exact;
        Observer = options.Observer;
        _chunk = options.ChunkTokens;
        if (new MemoryNeed(plan, source, _chunk, HasTensorCores, exact).WhyNot(context.FreeBytes) is string why) throw new NotSupportedException(why);
        Stream = new CudaStream();
        Task compiling = Task.Run(() =>
        {
            WeightForm FormOf(WeightRef weight) => PlanKernels.FormOf(plan, weight, source) ?? default;
            Steps = kernels.Capability >= 80 ? StepRules.Groups(plan, FormOf) : null;
            IEnumerable<KernelModule> steps = Steps is null ? [] : StepCompiler.Modules(plan, Steps, FormOf, kernels);
            kernels.Load(PlanKernels.Modules(plan, source, HasTensorCores, exact, kernels).Select(m => new KernelModule(m)).Concat(steps));
        });
        try
        {
            Weights = new DeviceWeights(plan, source, Stream, options, cancel);
            Slots = new DeviceSlots(plan.States, Stream, options.StateBudget);
            Slots.Reserve(options.Slots);
            PickLists = new PickLists(plan.VocabularySize, options.NeverPicked, options.EndTokens, Stream);
            if (Task.WaitAny([compiling], KeptKernels, CancellationToken.None) < 0) options.Progress?.Report(new LoadProgress(Compiling, 0, 0));
            compiling.GetAwaiter().GetResult();
        }
        catch
        {
            try { compiling.Wait(); }
            catch (AggregateException) { }   // what failed first is what is told
            Dispose();
            throw;
        }
    }

    public Plan Plan { get; }

    public KernelLibrary Kernels { get; }

    /// <summary>Whether products of many rows go by tensor cores: the device has those of 8.0.</summary>
    public bool HasTensorCores { get; }

    /// <summary>Whether activations keep the precision of float32 beside float weights.</summary>
    public bool IsExact { get; }

    public CudaStream Stream { get; }

    public DeviceWeights? Weights { get; private set; }

    public DeviceSlots? Slots { get; private set; }

    /// <summary>Where runs note their time, or null.</summary>
    public KernelProfile? Profile => _context.Profile;
    /// <summary>The ops that kernels of a step do together, or null where the device has none of these.</summary>
    public StepGroups? Steps { get; private set; }

    /// <summary>Sees what the projections read, or null.</summary>
    public IActivationObserver? Observer { get; }

    /// <summary>Bytes of the scratch of the executables alive.</summary>
    public long ScratchBytes { get; set; }

    /// <summary>Tokens that picks leave out.</summary>
    public PickLists? PickLists { get; private set; }

    /// <summary>Runs so far.</summary>
    public long Runs { get; set; }

    /// <summary>The executable that has runs in flight, or null.</summary>
    public CudaExecutable? Running { get; set; }

    /// <summary>Not with a piece of a plan, which waits for what another hands on.</summary>
    public bool WorksAhead => Plan.Logits is not null && Plan.CarriedIn.IsEmpty;

    int ILoadedModel.Slots => Open(Slots).Table.Count;

    public MemoryUse Memory => new(Open(Weights).Bytes, Open(Slots).Bytes, ScratchBytes, OnDevice: true);

    public void ReserveSlots(int count)
    {
        if (count > Open(Slots).Table.Count) Current(Slots).Reserve(count);
    }

    public long SlotBytes(long position) => Open(Slots).SlotBytes;

    public long? PositionOf(int slot) => Open(Slots).Table.PositionOf(slot);

    public void ClearSlot(int slot) => Current(Slots).Clear(slot);

    public void CopySlot(int from, int to, long position) => Current(Slots).Copy(from, to, position);

    public void ExportSlot(int slot, long position, Stream canonical) => Current(Slots).Export(slot, position, canonical);

    public void ImportSlot(int slot, long position, Stream canonical) => Current(Slots).Import(slot, position, canonical);

    /// <summary>An executable has lists of launches for the shapes within its own, so one serves prompts and decode; sequences and logits come in powers of two.</summary>
    public BatchShape Bucket(BatchShape shape)
    {
        int sequences = (int)BitOperations.RoundUpToPowerOf2((uint)shape.Sequences);
        int tokens = Math.Max(Math.Max(_chunk, sequences), (int)BitOperations.RoundUpToPowerOf2((uint)shape.Tokens));
        return new BatchShape(tokens, sequences, (int)BitOperations.RoundUpToPowerOf2((uint)shape.Outputs));
    }

    public IExecutable Compile(BatchShape shape) => new CudaExecutable(this, Current(Slots), Open(Weights), Bucket(shape));

    /// <summary>Calls go to the context of the thread that makes them.</summary>
    public void MakeCurrent() => _context.MakeCurrent();

    /// <inheritdoc cref="CudaContext.TryMakeCurrent"/>
    public void TryMakeCurrent() => _context.TryMakeCurrent();

    public void Dispose()
    {
        TryMakeCurrent();
        Slots?.Dispose();
        Weights?.Dispose();
        PickLists?.Dispose();
        Stream.Dispose();
        (Slots, Weights, PickLists) = (null, null, null);
    }

    private T Current<T>(T? part) where T : class
    {
        MakeCurrent();
        return Open(part);
    }

    private T Open<T>(T? part) where T : class => part ?? throw new ObjectDisposedException(GetType().Name);
}
