namespace MambaRT.Backends.Cuda;

/// <summary>Where the time of runs goes, kernel by kernel, between marks on the device. Read it between runs.</summary>
/// <remarks>Profiled runs are launched one by one behind a pause, so that the device does not wait for the host; short kernels seem 1 to 2 µs longer than within a graph.</remarks>
public sealed class CudaProfile
{
    private readonly Dictionary<string, KernelTime> _kernels = [];

    /// <summary>The kernels, those that took longest first.</summary>
    public IReadOnlyList<KernelTime> Kernels => [.. _kernels.Values.OrderByDescending(k => k.Milliseconds)];

    /// <summary>Milliseconds of the ops of a kind.</summary>
    public double Of(Func<Op, bool> kind) => _kernels.Values.Where(k => kind(k.Op)).Sum(k => k.Milliseconds);

    /// <summary>Adds one launch. An op's launches are told apart by the last part of its name, so that layers come together.</summary>
    internal void Add(Op op, string kernel, float milliseconds)
    {
        string name = op.Name[(op.Name.LastIndexOf('.') + 1)..] + ": " + kernel;
        KernelTime known = _kernels.GetValueOrDefault(name) ?? new KernelTime(name, op, 0, 0);
        _kernels[name] = known with { Launches = known.Launches + 1, Milliseconds = known.Milliseconds + milliseconds };
    }
}
