namespace MambaRT.Bench;

/// <summary>One run of the bench: the machine, the model, and what was measured.</summary>
/// <param name="Version">The program's version line.</param>
/// <param name="Settings">What was asked for beside the model.</param>
/// <param name="Machine">What the machine can do at best.</param>
/// <param name="Model">What was run.</param>
/// <param name="Checks">Logits compared before anything was timed; empty when that was switched off.</param>
/// <param name="Results">The measurements.</param>
/// <param name="Curve">Time and memory over the length of a generation; null when not asked for.</param>
/// <param name="Failures">Sentences on what must not be; empty when all is well.</param>
public sealed record RunRecord(
    string Version, SettingsRecord Settings, MachineRecord Machine, ModelRecord Model, IReadOnlyList<CheckRecord> Checks, IReadOnlyList<ResultRecord> Results,
    CurveRecord? Curve, IReadOnlyList<string> Failures);

/// <summary>Options that change what is measured.</summary>
/// <param name="BudgetSeconds">About how long one measurement may take.</param>
/// <param name="ChunkTokens">Tokens of a prompt that run at once.</param>
/// <param name="Cores">Cores that the threads are pinned to; null where the system puts them.</param>
public sealed record SettingsRecord(double BudgetSeconds, int ChunkTokens, IReadOnlyList<int>? Cores);

/// <summary>The ceilings of a machine, by number of threads.</summary>
/// <param name="Cpu">The processor's name.</param>
/// <param name="Isa">What instruction sets it offers.</param>
/// <param name="Cores">Logical processors.</param>
/// <param name="ReadGBs">10⁹ bytes a second read from a mapped file in the page cache.</param>
/// <param name="Int8Gops">10⁹ operations a second of 8-bit dot products, two a multiply-add; on x86 without VNNI.</param>
/// <param name="Fp32Gflops">10⁹ operations a second of float32 multiply-adds.</param>
/// <param name="Devices">The ceilings of other devices that were measured.</param>
public sealed record MachineRecord(
    string Cpu, string Isa, int Cores, IReadOnlyDictionary<int, double> ReadGBs, IReadOnlyDictionary<int, double> Int8Gops,
    IReadOnlyDictionary<int, double> Fp32Gflops, IReadOnlyList<DeviceRecord> Devices);

/// <summary>The ceilings of a device.</summary>
/// <param name="Backend">What runs on it.</param>
/// <param name="Name">What it is.</param>
/// <param name="ReadGBs">10⁹ bytes a second read from its memory.</param>
/// <param name="HalfGflops">10⁹ operations a second of F16 products; NaN where its tensor cores are not used.</param>
public sealed record DeviceRecord(string Backend, string Name, double ReadGBs, double HalfGflops);

/// <summary>What a model is made of.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Architecture">Such as "mamba2".</param>
/// <param name="Type">The storage type of most of its weights.</param>
/// <param name="Parameters">Values of its tensors.</param>
/// <param name="FileBytes">Size of the file.</param>
/// <param name="WeightBytes">Bytes that a token reads.</param>
/// <param name="StateBytes">Bytes of a session's state.</param>
public sealed record ModelRecord(string Name, string Architecture, string Type, long Parameters, long FileBytes, long WeightBytes, long StateBytes)
{
    /// <summary>States that fit 2³⁰ bytes.</summary>
    public long SessionsPerGiB => StateBytes == 0 ? 0 : (1L << 30) / StateBytes;
}

/// <summary>Logits of a backend against Reference.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Threads">Its threads.</param>
/// <param name="Tokens">Rows of logits compared.</param>
/// <param name="Nmse">Σ(a−b)² / Σb².</param>
/// <param name="Bound">The largest <paramref name="Nmse"/> that passes.</param>
public sealed record CheckRecord(string Backend, int Threads, int Tokens, double Nmse, double Bound)
{
    /// <summary>Whether the bound holds.</summary>
    public bool Passed => Nmse <= Bound;
}

/// <summary>What is measured.</summary>
public enum BenchMode : byte
{
    /// <summary>A prompt, fed at once.</summary>
    Prefill,
    /// <summary>Tokens one at a time, of one or several sequences.</summary>
    Decode,
}

/// <summary>Time shares of a run by kind of op; they add up to 1.</summary>
/// <param name="Linear">Projections.</param>
/// <param name="Conv">Convolutions.</param>
/// <param name="Scan">Scans.</param>
/// <param name="Norm">Norms.</param>
/// <param name="Other">The rest.</param>
public sealed record TimeShares(double Linear, double Conv, double Scan, double Norm, double Other);

/// <summary>One measurement.</summary>
/// <param name="Backend">Where it ran.</param>
/// <param name="CodePath">The instruction sets that its kernels use.</param>
/// <param name="Mode">Prefill or decode.</param>
/// <param name="Threads">Threads.</param>
/// <param name="Batch">Sequences at once.</param>
/// <param name="Tokens">Tokens of each sequence in one repetition.</param>
/// <param name="Repetitions">Repetitions timed.</param>
/// <param name="TokensPerSecond">Median over the repetitions, all sequences together.</param>
/// <param name="Spread">(fastest − slowest) / median.</param>
/// <param name="GigabytesPerSecond">10⁹ bytes of weights and states a second; weights counted once a run of the network, each state once.</param>
/// <param name="Gops">10⁹ operations of the matrix products a second: of the time spent in them where that is known, else of all time.</param>
/// <param name="ShareOfPeak">
/// Decode: of the read bandwidth; on a device that reads and writes states in memory of its own, (weights + 2 × states) over it. Prefill: of the arithmetic peak of
/// the types multiplied; beyond 1 where VNNI is used. NaN when the peak is not known.
/// </param>
/// <param name="TimeShare">Where the time went, or null where the backend does not say.</param>
/// <param name="PeakMemoryBytes">Most memory resident, the mapped file included.</param>
/// <param name="HeldBytes">Bytes held beyond the mapped file: states, scratch, decoded vectors.</param>
/// <param name="LoadMs">Opening the model.</param>
/// <param name="TimeToFirstTokenMs">Prefill: logits after the prompt. Decode: logits of the first token ever fed to the freshly opened model.</param>
public sealed record ResultRecord(
    string Backend, string CodePath, BenchMode Mode, int Threads, int Batch, int Tokens, int Repetitions, double TokensPerSecond, double Spread,
    double GigabytesPerSecond, double Gops, double ShareOfPeak, TimeShares? TimeShare, long PeakMemoryBytes, long HeldBytes, double LoadMs, double TimeToFirstTokenMs);
