using MambaRT.Cli;
using Xunit;

namespace MambaRT.Tests;

public sealed class PackedTests
{
    private static readonly byte[] Executable = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i % 251))];
    private static readonly byte[] Model = [.. Enumerable.Range(0, 3_000_001).Select(i => (byte)(i % 241))];

    [Fact]
    public void Write_ThenFind_GivesTheModelBack()
    {
        using var folder = new TemporaryFolder();
        (string program, string model) = Files(folder);

        long size = Packed.Write(program, new ModelFile(model), folder["chat"], _ => { }, CancellationToken.None);

        (long offset, long length) = Packed.Find(folder["chat"])!.Value;
        byte[] packed = File.ReadAllBytes(folder["chat"]);
        Assert.Equal(131072, offset);
        Assert.Equal(Model.Length, length);
        Assert.Equal(offset + length + Packed.TrailerBytes, size);
        Assert.Equal(Executable, packed[..Executable.Length]);
        Assert.Equal(Model, packed[(int)offset..(int)(offset + length)]);
        Assert.Equal(["chat", "model.gguf", "program"], folder.Files);
    }

    [Fact]
    public void Write_FromAPackedProgram_LeavesItsModelOut()
    {
        using var folder = new TemporaryFolder();
        (string program, string model) = Files(folder);
        Packed.Write(program, new ModelFile(model), folder["one"], _ => { }, CancellationToken.None);
        (long offset, long length) = Packed.Find(folder["one"])!.Value;

        Packed.Write(folder["one"], new ModelFile(folder["one"], offset, length), folder["two"], _ => { }, CancellationToken.None);

        Assert.Equal(File.ReadAllBytes(folder["one"]), File.ReadAllBytes(folder["two"]));
    }

    [Fact]
    public void Write_Cancelled_LeavesNothingBehind()
    {
        using var folder = new TemporaryFolder();
        (string program, string model) = Files(folder);

        Assert.Throws<OperationCanceledException>(() =>
            Packed.Write(program, new ModelFile(model), folder["chat"], _ => { }, new CancellationToken(canceled: true)));
        Assert.Equal(["model.gguf", "program"], folder.Files);
    }

    [Fact]
    public void Find_PlainFile_GivesNone()
    {
        using var folder = new TemporaryFolder();

        Assert.Null(Packed.Find(Files(folder).Program));
    }

    [Theory]
    [InlineData(0L, 10L)]
    [InlineData(65536L, 1L << 40)]
    [InlineData(-65536L, 10L)]
    [InlineData(long.MaxValue, long.MaxValue)]
    public void Find_TrailerThatLies_IsRefused(long offset, long length)
    {
        using var folder = new TemporaryFolder();
        byte[] file = [.. new byte[70_000], .. "MRTMODEL"u8, .. BitConverter.GetBytes(offset), .. BitConverter.GetBytes(length)];
        File.WriteAllBytes(folder["bad"], file);

        FormatException e = Assert.Throws<FormatException>(() => Packed.Find(folder["bad"]));
        Assert.Contains("pack it again", e.Message);
    }

    private static (string Program, string Model) Files(TemporaryFolder folder)
    {
        File.WriteAllBytes(folder["program"], Executable);
        File.WriteAllBytes(folder["model.gguf"], Model);
        return (folder["program"], folder["model.gguf"]);
    }
}
