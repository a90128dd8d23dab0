namespace MambaRT.Devices;

/// <summary>Where the time of runs goes on a device, kernel by kernel, between marks there. Read it between runs.</summary>
/// <remarks>A profiled run waits for each kernel before the next begins, and short kernels seem 1 to 2 µs longer than they are without marks.</remarks>
public sealed class KernelProfile
{
    private readonly Dictionary<string, KernelTime> _kernels = [];

    /// <summary>The kernels, those that took longest first.</summary>
    public IReadOnlyList<KernelTime> Kernels => [.. _kernels.Values.OrderByDescending(k => k.Milliseconds)];

    /// <summary>Milliseconds of the ops of a kind.</summary>
    public double Of(Func<Op, bool> kind) => _kernels.Values.Where(k => k.Op is Op op && kind(op)).Sum(k => k.Milliseconds);

    /// <summary>Adds one launch. An op's launches are told apart by the last part of its name, so that layers come together.</summary>
    /// <param name="op">What it was launched for; null where it is none's alone.</param>
    /// <param name="name">The op's name, or that of what else it does.</param>
    /// <param name="kernel">The kernel.</param>
    /// <param name="milliseconds">Its time.</param>
    public void Add(Op? op, string name, string kernel, double milliseconds)
    {
        ArgumentNullException.ThrowIfNull(name);
        name = name[(name.LastIndexOf('.') + 1)..] + ": " + kernel;
        KernelTime known = _kernels.GetValueOrDefault(name) ?? new KernelTime(name, op, 0, 0);
        _kernels[name] = known with { Launches = known.Launches + 1, Milliseconds = known.Milliseconds + milliseconds };
    }
}
