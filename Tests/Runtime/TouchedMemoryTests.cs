using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using MambaRT.Serving;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What a step for a time computes in was made by the system before the step: a huge page takes longer than a step may be exceeded by.</summary>
public sealed unsafe class TouchedMemoryTests
{
    /// <summary>Blocks beyond 32 MiB are the system's anew; smaller ones may be such as were freed, which are made already.</summary>
    private const int Fresh = 64 << 20;

    [MachineFact(Needs.Linux)]
    public void Touch_Buffer_MakesItsPagesAndKeepsItsBytes()
    {
        using var buffer = new NativeBuffer(Fresh, inParts: true);
        buffer.Span<byte>(5 << 20, 1)[0] = 7;
        Assert.True(Missing(buffer.Address, buffer.Bytes) > 1000);
        buffer.Touch();
        Assert.Equal(0, Missing(buffer.Address, buffer.Bytes));
        Assert.Equal(5 << 20, buffer.Span<byte>(0, Fresh).IndexOf((byte)7));
    }

    [MachineTheory(Needs.Linux)]
    [InlineData("feed in slices")]
    [InlineData("steps")]
    [InlineData("manual host")]
    public void Begin_StepsForATime_FindTheirMemoryMade(string way)
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using Model model = Model.Open(Assert.Single(Directory.EnumerateFiles(ModelData.PathOf("models"), "*.gguf")), backend, new ModelOptions { ChunkTokens = 8192 });
        var loaded = (CpuModel)model.Loaded;
        long bytes = (long)loaded.Layout.FloatsPerRow * model.ChunkTokens * sizeof(float);
        Assert.True(bytes >= Fresh);
        using Session session = model.StartSession();
        Assert.True(Missing((nint)loaded.Arena, bytes) > 1000);   // who feeds few tokens at a time does not pay for more
        using SlicedFeed? feed = way == "feed in slices" ? session.FeedInSlices([1, 2, 3]) : null;
        if (way == "steps") session.BeginSteps([1, 2, 3], TinyModel.Saying("x"), 1);
        using ModelHost? host = way == "manual host" ? new ModelHost(model, new ModelHostOptions { Manual = true, MaxSequences = 8 }) : null;
        Assert.Equal(0, Missing((nint)loaded.Arena, bytes));
        if (way != "manual host") return;
        model.Loaded.Compile(new BatchShape(2 * model.ChunkTokens, 1, 1));   // larger than what was touched
        Assert.Equal(0, Missing((nint)loaded.Arena, 2 * bytes));
    }

    /// <summary>How many pages of some memory the system has not made.</summary>
    private static int Missing(nint address, long bytes)
    {
        long page = Environment.SystemPageSize, first = address / page, count = (address + bytes - 1) / page - first + 1;
        byte[] entries = new byte[count * sizeof(ulong)];
        using FileStream map = File.OpenRead("/proc/self/pagemap");
        map.Position = first * sizeof(ulong);
        map.ReadExactly(entries);
        int missing = 0;
        for (int i = 0; i < count; i++)
            if (BitConverter.ToUInt64(entries, i * sizeof(ulong)) >> 63 == 0) missing++;
        return missing;
    }
}
