using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class MappedFileTests
{
    private static readonly byte[] Content = [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * 7 + i / 256))];

    [Theory]
    [InlineData(0, null)]
    [InlineData(1, null)]
    [InlineData(4097, 5000L)]
    [InlineData(9999, 1L)]
    public void Window_AnyOffset_ShowsThoseBytes(int offset, long? length)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["bytes"], Content);
        byte[] expected = Content[offset..(offset + (int)(length ?? Content.Length - offset))];
        using var file = new MappedFile(folder["bytes"], offset, length);
        using NativeBuffer copy = MappedFile.Copy(folder["bytes"], offset, length);
        Assert.Equal(expected.Length, file.Length);
        Assert.Equal(expected, file.Span(0, expected.Length));
        Assert.Equal(expected, copy.Span<byte>(0, expected.Length));
        Assert.Equal(expected[^1..], file.Span(expected.Length - 1, 1));
        Assert.True(file.Span(expected.Length, 0).IsEmpty);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, -1)]
    [InlineData(0, 10_001)]
    [InlineData(10_000, 1)]
    [InlineData(10_001, 0)]
    [InlineData(long.MaxValue, int.MaxValue)]
    public void Span_OutsideTheWindow_Throws(long offset, int count)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["bytes"], Content);
        using var file = new MappedFile(folder["bytes"]);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Span(offset, count).Length);
    }

    [Theory]
    [InlineData(10_000, null)]
    [InlineData(0, 10_001L)]
    [InlineData(9_999, 2L)]
    [InlineData(1, long.MaxValue)]
    public void Open_WindowBeyondTheEnd_IsRefused(long offset, long? length)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["bytes"], Content);
        Assert.Contains("the file has 10000 bytes", Assert.Throws<FormatException>(() => new MappedFile(folder["bytes"], offset, length)).Message);
        Assert.Throws<FormatException>(() => MappedFile.Copy(folder["bytes"], offset, length));
    }

    [Fact]
    public void Use_AfterDispose_Throws()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["bytes"], Content);
        var file = new MappedFile(folder["bytes"]);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Address);
        Assert.Throws<ObjectDisposedException>(() => file.Span(0, 1).Length);
        Assert.Throws<ObjectDisposedException>(file.EnsureUnchanged);
    }
}
