using System.Runtime.CompilerServices;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>The launches of a plan, in its order, with their arguments.</summary>
internal sealed unsafe class LaunchList
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
            int code = cuLaunchKernel(launch.Kernel.Handle, launch.GridX, launch.GridY, 1, launch.Threads, 1, 1, launch.SharedBytes, stream.Handle, &arguments, null);
            if (code != 0) throw new CudaException("cuLaunchKernel", code, launch.Op);
        }
    }
}
