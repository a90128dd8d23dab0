using System.IO.Compression;
using System.Reflection;

namespace MambaRT.Backends.Cuda;

/// <summary>
/// The kernels in this assembly, compiled by the driver when they are first asked for. A module lies under the oldest target whose instructions it needs;
/// a device takes it from the newest target that it can run.
/// </summary>
internal sealed class KernelLibrary(CudaContext context, int most) : IDisposable
{
    /// <summary>The targets that ship, newest first. PTX for 9.0a runs on 9.0 only.</summary>
    private static readonly (int Capability, string Folder)[] Targets = [(90, "sm_90a"), (80, "sm_80"), (75, "sm_75")];

    private readonly Dictionary<string, CudaModule> _modules = [];
    private readonly Dictionary<string, CudaKernel> _functions = [];

    /// <summary>The least compute capability there are kernels for.</summary>
    public static int Least => Targets[^1].Capability;

    /// <summary>The compute capability whose kernels are used.</summary>
    public int Capability => Math.Min(context.Capability, most);

    /// <summary>Whether the device runs PTX for 9.0a.</summary>
    public bool HasWgmma => context.Capability == 90 && most >= 90;

    /// <summary>Blocks that run at once, one a multiprocessor.</summary>
    public int MultiProcessors => context.MultiProcessors;

    /// <summary>Compiles the modules that are not there yet, each on a thread of its own.</summary>
    public void Load(IEnumerable<string> modules)
    {
        string[] missing = [.. modules.Distinct().Where(m => !_modules.ContainsKey(m))];
        var made = new CudaModule[missing.Length];
        try
        {
            Parallel.For(0, missing.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, missing.Length) }, i =>
            {
                context.MakeCurrent();
                made[i] = new CudaModule(missing[i], Ptx(missing[i]));
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
    public CudaKernel Function(string module, string kernel, int sharedBytes = 0)
    {
        const int FreelyGiven = 48 << 10;
        if (_functions.TryGetValue(kernel, out CudaKernel known)) return known;
        if (!_modules.ContainsKey(module)) Load([module]);
        nint function = _modules[module].Function(kernel);
        if (sharedBytes > FreelyGiven) CudaModule.AllowShared(function, sharedBytes, kernel);
        return _functions[kernel] = new CudaKernel(function, kernel);
    }

    public void Dispose()
    {
        foreach (CudaModule module in _modules.Values) module.Dispose();
        _modules.Clear();
        _functions.Clear();
    }

    /// <summary>The text of a module for this device, ended by a zero byte.</summary>
    private byte[] Ptx(string module)
    {
        Assembly assembly = typeof(KernelLibrary).Assembly;
        foreach ((int capability, string folder) in Targets)
        {
            if (capability > Capability || (capability == 90 && !HasWgmma)) continue;
            using Stream? packed = assembly.GetManifestResourceStream($"ptx/{folder}/{module}.ptx");
            if (packed is null) continue;
            using var text = new MemoryStream();
            using (var unpacked = new GZipStream(packed, CompressionMode.Decompress)) unpacked.CopyTo(text);
            text.WriteByte(0);
            return text.ToArray();
        }
        throw new NotSupportedException($"There is no kernel module '{module}' for compute capability {context.Capability / 10}.{context.Capability % 10}.");
    }
}
