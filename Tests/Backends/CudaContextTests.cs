using System.Runtime.InteropServices;
using MambaRT.Backends.Cuda;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Somebody destroys the device's context while models run on it, as one call of any library in the process can: on the emulated driver, and on a device that is there.</summary>
[Collection(nameof(CudaFailureTests))]
public sealed unsafe class CudaContextTests
{
    private static readonly int[] Prompt = TinyModels.Tokens(100);

    [MachineTheory(Needs.Cuda)]
    [InlineData("mamba-untied-biases")]
    [InlineData("mamba2-g3")]
    public void Feed_ContextDestroyedMeanwhile_EndsItsSessionsInASentenceAndNoOthers(string name)
    {
        const int Before = 20, Most = 1_000_000;
        using var onCpu = new TinyRun("cpu", name, QuantTypes.F32);
        using Session other = onCpu.Model.StartSession(), unharmed = onCpu.Model.StartSession();
        unharmed.Feed(Prompt.AsSpan(0, 50));
        float[] expected = unharmed.Feed(Prompt.AsSpan(50)).ToArray();
        try
        {
            using var run = new TinyRun("cuda", name, QuantTypes.F32);
            using Session session = run.Model.StartSession(), sibling = run.Model.StartSession();
            session.Feed(Prompt);
            sibling.Feed(Prompt);
            other.Feed(Prompt.AsSpan(0, 50));
            using var far = new ManualResetEventSlim();
            Task kill = Task.Run(() =>
            {
                far.Wait();
                Destroy();
            });
            var failed = Assert.Throws<CudaException>(() =>
            {
                for (int i = 0; i < Most; i++)
                {
                    session.Feed([i % TinyModels.Vocabulary]);
                    if (i == Before) far.Set();
                }
            });
            kill.Wait();
            Assert.Matches("failed with [0-9]+ CUDA_ERROR_", failed.Message);
            Assert.DoesNotContain('\n', failed.Message);
            Assert.Throws<CudaException>(() => sibling.Feed([1]));
            Assert.ThrowsAny<Exception>(() => session.Feed([1]));
            Assert.Equal(expected, other.Feed(Prompt.AsSpan(50)).ToArray());
        }
        finally
        {
            if (EmulatedCuda.IsLoaded) EmulatedCuda.Heal();
        }
        using var again = new TinyRun("cuda", name, QuantTypes.F32);
        using Session anew = again.Model.StartSession();
        Assert.Equal(expected.Length, anew.Feed(Prompt).Length);
    }

    private static void Destroy()
    {
        nint library = NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");
        var reset = (delegate* unmanaged<int, int>)NativeLibrary.GetExport(library, "cuDevicePrimaryCtxReset_v2");
        Assert.Equal(0, reset(0));
    }
}
