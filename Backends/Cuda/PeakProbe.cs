namespace MambaRT.Backends.Cuda;

/// <summary>Measures <see cref="CudaPeaks"/>: the best of a few launches of kernels that do one thing.</summary>
internal sealed class PeakProbe(KernelLibrary kernels) : IDisposable
{
    /// <summary>Read at a time; more than any cache holds.</summary>
    private const long Bytes = 1L << 30;

    private const int Tries = 6, Steps = 4096;

    private readonly CudaStream _stream = new();
    private readonly CudaDeviceMemory _nothing = new(16, "a result");

    public CudaPeaks Measure() => new(Read(), kernels.HasWgmma ? Wgmma() : kernels.Capability >= 80 ? Tensor() : double.NaN);

    private double Read()
    {
        const int Threads = 512;
        int blocks = kernels.MultiProcessors * 4;
        long round = 4L * blocks * Threads * 16, bytes = Bytes / round * round;
        using var data = new CudaDeviceMemory(bytes, "memory to measure reading");
        _stream.Clear(data.Address, bytes);
        return bytes / Seconds("peak", "read_peak", blocks, Threads, new ReadPeakArguments { Data = data.Address, Out = _nothing.Address, Count = bytes / 16 });
    }

    private double Tensor()
    {
        const int Threads = 256, Products = 8;
        const long ProductOperations = 2 * 16 * 8 * 16;
        int blocks = kernels.MultiProcessors * 4;
        return (double)blocks * (Threads / 32) * Steps * Products * ProductOperations
            / Seconds("peak_tensor", "tensor_peak", blocks, Threads, new ProductPeakArguments { Out = _nothing.Address, Steps = Steps });
    }

    private double Wgmma()
    {
        const int Groups = 2, Columns = 256, Depth = 64, InFlight = 16, SharedBytes = ((Groups * 64) + Columns) * Depth * 2 + 1024;
        const long ProductOperations = 2L * 64 * Columns * 16;
        return (double)kernels.MultiProcessors * Groups * Steps * InFlight * ProductOperations
            / Seconds("peak_wgmma", "wgmma_peak", kernels.MultiProcessors, Groups * 128, new ProductPeakArguments { Out = _nothing.Address, Steps = Steps }, SharedBytes);
    }

    private double Seconds<TArguments>(string module, string kernel, int blocks, int threads, in TArguments arguments, int sharedBytes = 0) where TArguments : unmanaged
    {
        var launch = new LaunchList(early: false);
        launch.Add(kernel, kernels.Function(module, kernel, sharedBytes), blocks, 1, threads, arguments, sharedBytes);
        using CudaEvent begin = new(), end = new();
        double best = double.PositiveInfinity;
        for (int i = 0; i < Tries; i++)
        {
            begin.Record(_stream);
            launch.Run(_stream, 0, 1);
            end.Record(_stream);
            _stream.Synchronize(kernel);
            best = Math.Min(best, end.Since(begin) / 1e3);
        }
        return best;
    }

    public void Dispose()
    {
        _nothing.Dispose();
        _stream.Dispose();
    }
}
