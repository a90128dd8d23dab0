using System.Text;

namespace MambaRT.Backends.Cuda;

/// <summary>
/// The kernels in this assembly, compiled by the driver when they are first asked for. A module lies under the oldest target whose instructions it needs;
/// a device takes it from the newest target that it can run.
/// </summary>
internal sealed class KernelLibrary(CudaContext context, int most) : IDisposable
{
    /// <summary>The targets that ship, newest first. PTX for 9.0a runs on 9.0 only.</summary>
    private static readonly (int Capability, string Folder)[] Targets = [(90, "sm_90a"), (80, "sm_80"), (75, "sm_75")];

    private readonly Dictionary<KernelModule, CudaModule> _modules = [];
    private readonly Dictionary<(KernelModule, string), (CudaKernel Kernel, int SharedBytes)> _functions = [];

    /// <summary>The least compute capability there are kernels for.</summary>
    public static int Least => Targets[^1].Capability;

    /// <summary>The compute capability whose kernels are used.</summary>
    public int Capability => Math.Min(context.Capability, most);

    /// <summary>Whether the device runs PTX for 9.0a.</summary>
    public bool HasWgmma => context.Capability == 90 && most >= 90;

    /// <summary>Blocks that run at once, one a multiprocessor.</summary>
    public int MultiProcessors => context.MultiProcessors;

    /// <inheritdoc cref="CudaContext.MostSharedBytes"/>
    public int MostSharedBytes => context.MostSharedBytes;

    /// <summary>Maps of the matrices that kernels copy boxes of.</summary>
    public TensorMaps Maps { get; } = new();

    /// <summary>Compiles the modules that are not there yet, each on a thread of its own.</summary>
    public void Load(IEnumerable<KernelModule> modules)
    {
        KernelModule[] missing = [.. modules.Distinct().Where(m => !_modules.ContainsKey(m))];
        var made = new CudaModule[missing.Length];
        try
        {
            Parallel.For(0, missing.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, missing.Length) }, i =>
            {
                context.MakeCurrent();
                made[i] = new CudaModule(missing[i].Name, Ptx(missing[i]));
            });
        }
        catch (AggregateException e)
        {
            foreach (CudaModule? module in made) module?.Dispose();
            throw e.InnerExceptions[0];
        }
        for (int i = 0; i < missing.Length; i++) _modules.Add(missing[i], made[i]);
    }

    /// <summary>A kernel of a module.</summary>
    /// <param name="module">The name of its file.</param>
    /// <param name="kernel">Its own name.</param>
    /// <param name="sharedBytes">Shared memory that its launches ask for.</param>
    public CudaKernel Function(string module, string kernel, int sharedBytes = 0) => Function(new KernelModule(module), kernel, sharedBytes);

    /// <summary>A kernel of a module.</summary>
    /// <param name="module">Its file and sizes.</param>
    /// <param name="kernel">Its own name.</param>
    /// <param name="sharedBytes">Shared memory that its launches ask for.</param>
    public CudaKernel Function(KernelModule module, string kernel, int sharedBytes = 0)
    {
        const int FreelyGiven = 48 << 10;
        if (!_functions.TryGetValue((module, kernel), out (CudaKernel Kernel, int SharedBytes) known))
        {
            if (!_modules.ContainsKey(module)) Load([module]);
            known = (new CudaKernel(_modules[module].Function(kernel), kernel), FreelyGiven);
        }
        if (sharedBytes > known.SharedBytes)   // the most that any launch asks for
        {
            CudaModule.AllowShared(known.Kernel.Handle, sharedBytes, kernel);
            known.SharedBytes = sharedBytes;
        }
        _functions[(module, kernel)] = known;
        return known.Kernel;
    }

    public void Dispose()
    {
        foreach (CudaModule module in _modules.Values) module.Dispose();
        _modules.Clear();
        _functions.Clear();
        Maps.Dispose();
    }

    /// <summary>Whether kernels wait by themselves for what was launched before them, and so may be launched early.</summary>
    public bool WaitsForItself => Capability >= 90;

    /// <summary>The text of a module for this device, ended by a zero byte.</summary>
    private byte[] Ptx(KernelModule module)
    {
        foreach ((int capability, string folder) in Targets)
        {
            if (capability > Capability || (capability == 90 && !HasWgmma)) continue;
            if (PackedResource.Read(typeof(KernelLibrary).Assembly, $"ptx/{folder}/{module.Name}.ptx") is not byte[] ptx) continue;
            string text = Encoding.ASCII.GetString(ptx);
            if (module.Sizes is KernelSizes sizes) text = sizes.WriteInto(text);
            return Encoding.ASCII.GetBytes(WithWaits(text) + "\0");
        }
        throw new NotSupportedException($"There is no kernel module '{module.Name}' for compute capability {context.Capability / 10}.{context.Capability % 10}.");
    }

    /// <summary>PTX in which kernels wait for those before them by the instructions of compute capability 9.0, or do not, as older devices start them in order.</summary>
    private string WithWaits(string ptx)
    {
        if (!WaitsForItself) return ptx.Replace("WAIT_FOR_INPUTS;", "", StringComparison.Ordinal).Replace("START_DEPENDENTS;", "", StringComparison.Ordinal);
        ptx = ptx.Replace("WAIT_FOR_INPUTS;", "griddepcontrol.wait;", StringComparison.Ordinal).Replace("START_DEPENDENTS;", "griddepcontrol.launch_dependents;", StringComparison.Ordinal);
        foreach ((string version, string target) in (ReadOnlySpan<(string, string)>)[(".version 6.3", ".target sm_75"), (".version 7.5", ".target sm_80")])
            if (ptx.Contains(target, StringComparison.Ordinal))
                ptx = ptx.Replace(version, ".version 8.0", StringComparison.Ordinal).Replace(target, ".target sm_90", StringComparison.Ordinal);
        return ptx;
    }
}
