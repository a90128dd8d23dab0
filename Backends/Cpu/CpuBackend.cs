using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>SIMD on a fixed team of threads; quantized weights are read where the file is mapped.</summary>
/// <remarks>
/// Results do not depend on the number of threads. Several models may share a backend; their runs take turns. After a run the threads wait for the next one
/// for about 0.1 ms and then sleep: a backend that runs nothing takes no processor time.
/// </remarks>
public sealed class CpuBackend : IBackend
{
    private readonly ITeam _team;
    private readonly int[]? _cores;
    private readonly CpuIsa _isa;

    /// <summary>Starts the team.</summary>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">Below 0 or above 1,024 threads.</exception>
    /// <exception cref="ArgumentException">Threads of the program's are to be pinned or moved; or there are not as many cores as threads, one stands twice, or this process may not use it.</exception>
    /// <exception cref="NotSupportedException">The processor lacks the instructions: what <see cref="WhyNot(CpuIsa)"/> says.</exception>
    /// <exception cref="PlatformNotSupportedException">Cores are given, and the system is not Linux.</exception>
    public CpuBackend(CpuOptions? options = null)
    {
        options ??= new CpuOptions();
        if (WhyNot(options.Isa) is string why) throw new NotSupportedException($"{NameOf(options.Isa)}: {why}; choose cpu, which uses what there is.");
        if (options.Threads is < 0 or > 1024) throw new ArgumentOutOfRangeException(nameof(options), $"CpuOptions.Threads is {options.Threads}; it must lie between 0, for one per core, and 1024.");
        IReadOnlyList<int>? cores = options.Cores;
        int size = options.Threads > 0 ? options.Threads : cores?.Count ?? Environment.ProcessorCount;
        if (cores is not null)
        {
            if (cores.Count == 0 || cores.Count != size) throw new ArgumentException($"{cores.Count} cores are given for {size} threads; give each thread one of its own.", nameof(options));
            CoreAffinity.Check(cores);
        }
        _isa = options.Isa;
        _cores = cores is null ? null : [.. cores];
        if (options.ParallelFor is not null && (cores is not null || options.MovesThreads))
            throw new ArgumentException("Threads of the program's own (ParallelFor) are neither pinned nor moved; leave Cores and MovesThreads out.", nameof(options));
        _team = options.ParallelFor is { } run ? new BorrowedTeam(size, run) : new ThreadTeam(size, _cores, options.MovesThreads);
    }

    /// <inheritdoc/>
    public string Name => NameOf(_isa);

    /// <summary>Why this processor cannot be held to these instructions, as a sentence without a full stop; null when it can.</summary>
    public static string? WhyNot(CpuIsa isa) => isa switch
    {
        CpuIsa.AvxVnni when !AvxVnni.IsSupported => "this processor has no AVX-VNNI",
        CpuIsa.Avx2 when !Avx2.IsSupported => "this processor has no AVX2",
        _ => null,
    };

    /// <summary>Members of the team.</summary>
    public int Threads => _team.Size;

    /// <summary>Collects the time of each kind of op while it is set; null, as at first, costs nothing. Set it between runs.</summary>
    public CpuProfile? Profile
    {
        get => _team.Profile;
        set => _team.Profile = value;
    }

    /// <inheritdoc/>
    public string Description =>
        $"{InstructionSet}, {Threads} thread{(Threads == 1 ? "" : "s")}{(_cores is null ? "" : $" on core{(Threads == 1 ? "" : "s")} {string.Join(", ", _cores)}")}";

    /// <summary>The instruction sets its kernels use on this machine.</summary>
    public string InstructionSet =>
        _isa == CpuIsa.Auto && Avx512Support.IsAvailable ? "AVX-512 + VNNI"
        : _isa != CpuIsa.Avx2 && AvxVnni.IsSupported ? "AVX2 + FMA + AVX-VNNI"
        : Avx2.IsSupported ? "AVX2 + FMA"
        : AdvSimd.IsSupported ? "Arm64 AdvSimd"
        : Vector128.IsHardwareAccelerated ? "128-bit SIMD" : "scalar";

    /// <inheritdoc/>
    public DeviceDescription Device => new(Probes.ProcessorName, DeviceDescription.HostMemoryBytes, SharesHostMemory: true);

    /// <summary>It runs every op, and every storage type that there is.</summary>
    public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null) => null;

    /// <summary>Told by placing the weights that are decoded, which are small, and compiling as for use: memory that is not written to is not taken.</summary>
    /// <inheritdoc/>
    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options)
    {
        var memory = new HostMemory();
        using var model = new CpuModel(plan, weights, options with { Slots = 0, StateBudget = long.MaxValue, Memory = memory, Observer = null }, _team, _isa);
        int chunk = Math.Max(options.ChunkTokens, 1);
        model.Compile(new BatchShape(chunk, 1, 1));
        for (int sequences = 2; sequences / 2 < Math.Min(options.Slots, chunk); sequences *= 2) model.Compile(new BatchShape(sequences, sequences, sequences));
        MemoryUse held = model.Memory;
        return held with { States = checked((options.Slots + 1L) * model.SlotBytes(0)), Scratch = memory.Most - held.Weights - held.States };
    }

    /// <inheritdoc/>
    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        return new CpuModel(plan, weights, options, _team, _isa);
    }

    /// <inheritdoc/>
    public void Dispose() => _team.Dispose();

    private static string NameOf(CpuIsa isa) => isa switch { CpuIsa.AvxVnni => "cpu:vnni", CpuIsa.Avx2 => "cpu:avx2", _ => "cpu" };
}
