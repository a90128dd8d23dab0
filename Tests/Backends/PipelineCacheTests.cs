using MambaRT.Backends.Vulkan;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What a driver made of shaders is kept in a file: whole or not at all, and what is damaged is dropped.</summary>
public sealed class PipelineCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Place => _folder["cache"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_WhatWasWritten_IsTheSame()
    {
        byte[] data = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
        var file = new PipelineCacheFile(Path.Combine(Place, "made", "for it"), 7);
        Assert.Empty(file.Read());
        file.Write(data);
        Assert.Equal(data, file.Read());
        Assert.Empty(new PipelineCacheFile(Path.GetDirectoryName(file.Path)!, 8).Read());   // of another driver
        Assert.Equal([file.Path], Directory.GetFiles(Path.GetDirectoryName(file.Path)!));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(12)]
    [InlineData(24)]
    [InlineData(500)]
    public void Read_Damaged_IsDropped(int at)
    {
        var file = new PipelineCacheFile(Place, 7);
        file.Write(new byte[1000]);
        byte[] bytes = File.ReadAllBytes(file.Path);
        File.WriteAllBytes(file.Path, bytes[..at]);
        Assert.Empty(file.Read());
        Assert.False(File.Exists(file.Path));
        bytes[at] ^= 1;
        File.WriteAllBytes(file.Path, bytes);
        Assert.Empty(file.Read());
        Assert.False(File.Exists(file.Path));
    }

    [MachineFact(Needs.Unix)]
    public async Task Read_PipeInItsPlace_IsDroppedAndNotWaitedFor()
    {
        Directory.CreateDirectory(Place);
        var file = new PipelineCacheFile(Place, 7);
        using (var make = System.Diagnostics.Process.Start("mkfifo", [file.Path])) await make.WaitForExitAsync();
        Assert.Empty(await Task.Run(file.Read).WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.False(File.Exists(file.Path));
    }

    [Fact]
    public void Write_PlaceThatTakesNothing_IsNoError()
    {
        File.WriteAllText(Place, "");
        var file = new PipelineCacheFile(Place, 7);
        file.Write(new byte[10]);
        Assert.Empty(file.Read());
    }

    [MachineFact(Needs.Vulkan)]
    public void Open_SecondTime_TakesWhatWasKept()
    {
        float[] first = Feed();
        string kept = Assert.Single(Directory.GetFiles(Place));
        Assert.Matches(@"vulkan-[0-9a-f]{32}\.cache$", kept);
        DateTime written = File.GetLastWriteTimeUtc(kept);
        Assert.Equal(first, Feed());
        Assert.Equal(written, File.GetLastWriteTimeUtc(kept));   // nothing was new
        File.WriteAllBytes(kept, [1, 2, 3]);
        Assert.Equal(first, Feed());
        Assert.NotEqual(3, new FileInfo(kept).Length);
    }

    /// <summary>Data that is whole and not this driver's, as a driver that was damaged by its maker might leave.</summary>
    [MachineFact(Needs.Vulkan)]
    public void Open_DataThatTheDriverDoesNotKnow_IsNoError()
    {
        float[] first = Feed();
        string kept = Assert.Single(Directory.GetFiles(Place));
        new PipelineCacheFile(Place, UInt128.Parse(Path.GetFileNameWithoutExtension(kept)["vulkan-".Length..], System.Globalization.NumberStyles.HexNumber)).Write(new byte[77]);
        Assert.Equal(first, Feed());
    }

    private float[] Feed()
    {
        using var run = new TinyRun(() => new VulkanBackend(0, cacheFolder: Place), "mamba-tied", QuantTypes.F32);
        using Session session = run.Model.StartSession();
        return session.Feed([1, 2, 3]).ToArray();
    }
}
