using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class WholeFileTests
{
    [Fact]
    public void Write_ThatFails_KeepsTheOldFileAndLeavesNoOther()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");

        Assert.Throws<InvalidDataException>(() => WholeFile.Write(folder["a"], temporary =>
        {
            File.WriteAllText(temporary, "half");
            throw new InvalidDataException();
        }));

        Assert.Equal("old", File.ReadAllText(folder["a"]));
        Assert.Equal(["a"], folder.Files);
    }

    [Fact]
    public void Write_ThatSucceeds_ReplacesTheOldFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");

        WholeFile.Write(folder["a"], temporary => File.WriteAllText(temporary, "new"));

        Assert.Equal("new", File.ReadAllText(folder["a"]));
        Assert.Equal(["a"], folder.Files);
    }

    [Fact]
    public void EnsureWritable_FolderOrNoFolder_SaysWhich()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains("is a folder", Assert.Throws<IOException>(() => WholeFile.EnsureWritable(folder["."])).Message);
        Assert.Contains("no folder", Assert.Throws<DirectoryNotFoundException>(() => WholeFile.EnsureWritable(folder["none/a"])).Message);
    }

    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/stdout")]
    [InlineData("/proc/none")]
    public void EnsureWritable_Device_IsRefused(string path)
    {
        if (!OperatingSystem.IsLinux()) return;
        Assert.Contains("device", Assert.Throws<IOException>(() => WholeFile.EnsureWritable(path)).Message);
    }
}
