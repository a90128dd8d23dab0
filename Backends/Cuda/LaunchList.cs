using System.Runtime.CompilerServices;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>The launches of a plan, in its order, with their arguments.</summary>
/// <param name="early">Whether a launch may begin before the one before it has ended, as kernels wait for that by themselves.</param>
internal sealed unsafe class LaunchList(bool early)
{
    private readonly List<Launch> _launches = [];

    private readonly record struct Launch(CudaKernel Kernel, uint GridX, uint GridY, uint Threads, uint SharedBytes, byte[] Arguments, string Op);

    /// <summary>Launches so far.</summary>
    public int Count => _launches.Count;

    /// <summary>Adds a launch; one without blocks is left out.</summary>
    public void Add<TArguments>(string op, CudaKernel kernel, long gridX, long gridY, int threads, in TArguments arguments, int sharedBytes = 0) where TArguments : unmanaged
    {
        if (gridX == 0 || gridY == 0) return;
        byte[] bytes = GC.AllocateUninitializedArray<byte>(sizeof(TArguments), pinned: true);
        Unsafe.WriteUnaligned(ref bytes[0], arguments);
        _launches.Add(new Launch(kernel, (uint)gridX, (uint)gridY, (uint)threads, (uint)sharedBytes, bytes, op));
    }

    /// <summary>The name of a launch's kernel.</summary>
    public string Kernel(int launch) => _launches[launch].Kernel.Name;

    /// <summary>Puts launches <paramref name="from"/> to <paramref name="to"/>, the last not included, on a stream.</summary>
    public void Run(CudaStream stream, int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            Launch launch = _launches[i];
            void* arguments = Unsafe.AsPointer(ref launch.Arguments[0]);   // pinned
            if (early && i > 1)   // the first brings what others read before they wait
            {
                LaunchEarly(launch, stream, &arguments);
                continue;
            }
            int code = cuLaunchKernel(launch.Kernel.Handle, launch.GridX, launch.GridY, 1, launch.Threads, 1, 1, launch.SharedBytes, stream.Handle, &arguments, null);
            if (code != 0) throw new CudaException("cuLaunchKernel", code, launch.Op);
        }
    }

    private static void LaunchEarly(in Launch launch, CudaStream stream, void** arguments)
    {
        var attribute = new CUlaunchAttribute { Id = CUlaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
        var config = new CUlaunchConfig
        {
            GridX = launch.GridX,
            GridY = launch.GridY,
            GridZ = 1,
            BlockX = launch.Threads,
            BlockY = 1,
            BlockZ = 1,
            SharedBytes = launch.SharedBytes,
            Stream = stream.Handle,
            Attributes = &attribute,
            AttributeCount = 1,
        };
        int code = cuLaunchKernelEx(&config, launch.Kernel.Handle, arguments, null);
        if (code != 0) throw new CudaException("cuLaunchKernelEx", code, launch.Op);
    }
}
