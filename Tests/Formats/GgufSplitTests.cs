using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class GgufSplitTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Open_AnyPart_OpensAll(int opened)
    {
        using var folder = new TemporaryFolder();
        long bytes = WriteParts(folder);
        using GgufFile file = GgufFile.Open(folder[Name(opened)]);
        Assert.Equal(9, file.Tensors.Count);
        Assert.Equal([0, 0, 0, 1, 1, 1, 2, 2, 2], file.Tensors.Select(t => t.Part));
        Assert.Equal("part 0", file.Metadata.GetString("general.name"));
        Assert.False(file.Metadata.Contains("split.count"));
        Assert.Equal(bytes, file.FileBytes);
        for (int part = 0; part < 3; part++)
            Assert.Equal(Enumerable.Range(100, 12).Select(i => (float)i), GgufSamples.Values(file, $"part{part}.matrix.f32"));
        file.EnsureReadable();
        using (FileStream stream = new(folder[Name(2)], FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) stream.SetLength(50);
        Assert.Contains(Name(2), Assert.Throws<IOException>(file.EnsureReadable).Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Open_MissingSibling_NamesIt(int missing)
    {
        using var folder = new TemporaryFolder();
        WriteParts(folder);
        File.Delete(folder[Name(missing)]);
        var e = Assert.Throws<FileNotFoundException>(() => GgufFile.Open(folder[Name(1)]));
        Assert.Contains($"part {missing + 1} of 3 of this model is missing", e.Message);
        Assert.Contains(folder[Name(missing)], e.Message);
    }

    [Fact]
    public void Open_RenamedPart_SaysWhatItsNameShouldEndIn()
    {
        using var folder = new TemporaryFolder();
        WriteParts(folder);
        File.Move(folder[Name(1)], folder["other.gguf"]);
        string message = Assert.Throws<FormatException>(() => GgufFile.Open(folder["other.gguf"])).Message;
        Assert.Contains("other.gguf: this is part 2 of 3", message);
        Assert.Contains("'-00002-of-00003.gguf'", message);
    }

    [Fact]
    public void Open_PartOfAnotherModel_IsRefused()
    {
        using var folder = new TemporaryFolder();
        WriteParts(folder);
        File.Copy(folder[Name(1)], folder[Name(2)], overwrite: true);
        string message = Assert.Throws<FormatException>(() => GgufFile.Open(folder[Name(0)])).Message;
        Assert.Contains($"{Name(2)}: key 'split.no' or 'split.count' says part 2 of 3; part 3 of 3 is needed", message);
    }

    [Fact]
    public void Open_SameTensorInTwoParts_IsRefused()
    {
        using var folder = new TemporaryFolder();
        WriteParts(folder);
        WritePart(folder, 2, "part1.", 9);
        string message = Assert.Throws<FormatException>(() => GgufFile.Open(folder[Name(0)])).Message;
        Assert.Contains($"{Name(2)}: tensor 'part1.vector.f16' appears twice", message);
    }

    [Fact]
    public void Open_WrongTotalOfTensors_IsRefused()
    {
        using var folder = new TemporaryFolder();
        WriteParts(folder, total: 10);
        string message = Assert.Throws<FormatException>(() => GgufFile.Open(folder[Name(1)])).Message;
        Assert.Contains($"{Name(0)}: key 'split.tensors.count' is 10, but the 3 parts hold 9 tensors", message);
    }

    [Fact]
    public void Open_PartInsideAnotherFile_IsRefused()
    {
        using var folder = new TemporaryFolder();
        WriteParts(folder);
        File.WriteAllBytes(folder["program"], [0, .. File.ReadAllBytes(folder[Name(0)])]);
        string message = Assert.Throws<NotSupportedException>(() => GgufFile.Open(folder["program"], new GgufOpenOptions { Offset = 1 })).Message;
        Assert.Contains("one of 3 parts", message);
    }

    private static string Name(int part) => $"tiny-0000{part + 1}-of-00003.gguf";

    private static long WriteParts(TemporaryFolder folder, int total = 9) =>
        Enumerable.Range(0, 3).Sum(part => WritePart(folder, part, $"part{part}.", total));

    private static long WritePart(TemporaryFolder folder, int part, string prefix, int total)
    {
        var metadata = new GgufMetadata(Name(part));
        metadata.Set("general.name", $"part {part}");
        metadata.Set("split.no", (ushort)part);
        metadata.Set("split.count", (ushort)3);
        metadata.Set("split.tensors.count", total);
        GgufSamples.Writer(metadata, prefix).Write(folder[Name(part)]);
        return new FileInfo(folder[Name(part)]).Length;
    }
}
