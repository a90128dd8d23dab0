using MambaRT.Backends.Cuda;
using Xunit;

namespace MambaRT.Tests;

/// <summary>How scans of Mamba-1 are shared out among blocks on a device of 132 multiprocessors with 227 KiB of shared memory for a block.</summary>
public sealed class ScanRolesTests
{
    private const int MultiProcessors = 132, Shared = 227 << 10;

    [Theory]
    [InlineData(1536, 1, 12, 3)]    // 130m: a block each
    [InlineData(2048, 1, 16, 3)]    // 370m
    [InlineData(4096, 1, 16, 1)]    // 1.4b: two blocks each
    [InlineData(5120, 1, 20, 1)]    // 2.8b: 40 channels each, not 48
    [InlineData(1536, 8, 16, 1)]
    public void For_ManyChannels_LeavesNoMultiprocessorManyMoreThanOthers(int width, int sequences, int channels, int servants)
    {
        ScanRoles roles = ScanRoles.For(width, sequences, wide: true, MultiProcessors, Shared);
        Assert.Equal((channels, servants), (roles.Channels, roles.Servants));
    }

    [Theory]
    [InlineData(48 << 10)]
    [InlineData(64 << 10)]
    [InlineData(99 << 10)]
    [InlineData(Shared)]
    public void For_AnyDevice_KeepsToItsSharedMemory(int shared)
    {
        foreach (int width in new[] { 7, 1536, 2048, 5120, 8192 })
            foreach (bool wide in new[] { true, false }) Assert.InRange(ScanRoles.For(width, 1, wide, MultiProcessors, shared).SharedBytes, 1, Math.Max(shared, 48 << 10));
    }
}
