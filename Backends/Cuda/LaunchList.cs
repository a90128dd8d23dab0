using System.Runtime.CompilerServices;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>The launches of a plan, in its order, with their arguments.</summary>
internal sealed unsafe class LaunchList
{
    private readonly List<Launch> _launches = [];

    private readonly record struct Launch(nint Function, uint GridX, uint GridY, uint Threads, byte[] Arguments, string Op);

    /// <summary>Launches so far.</summary>
    public int Count => _launches.Count;

    /// <summary>Adds a launch; one without blocks is left out.</summary>
    public void Add<TArguments>(string op, nint function, long gridX, long gridY, int threads, in TArguments arguments) where TArguments : unmanaged
    {
        if (gridX == 0 || gridY == 0) return;
        byte[] bytes = GC.AllocateUninitializedArray<byte>(sizeof(TArguments), pinned: true);
        Unsafe.WriteUnaligned(ref bytes[0], arguments);
        _launches.Add(new Launch(function, (uint)gridX, (uint)gridY, (uint)threads, bytes, op));
    }

    /// <summary>Puts launches <paramref name="from"/> to <paramref name="to"/>, the last not included, on a stream.</summary>
    public void Run(CudaStream stream, int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            Launch launch = _launches[i];
            void* arguments = Unsafe.AsPointer(ref launch.Arguments[0]);   // pinned
            int code = cuLaunchKernel(launch.Function, launch.GridX, launch.GridY, 1, launch.Threads, 1, 1, 0, stream.Handle, &arguments, null);
            if (code != 0) throw new CudaException("cuLaunchKernel", code, launch.Op);
        }
    }
}
