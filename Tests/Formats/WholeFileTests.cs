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

    [Theory]
    [InlineData("", "empty")]
    [InlineData(" ", "empty")]
    [InlineData("a230", "230 bytes")]
    [InlineData("\u00e9201", "402 bytes")]
    public void Write_NameThatCannotBe_IsRefusedInASentenceWithoutTemporaryName(string name, string found)
    {
        using var folder = new TemporaryFolder();
        string path = name.Trim().Length == 0 ? name : folder[new string(name[0], int.Parse(name[1..], System.Globalization.CultureInfo.InvariantCulture))];
        foreach (Action write in (Action[])[() => WholeFile.Write(path, _ => { }), () => WholeFolder.Write(path, true, _ => { })])
        {
            string message = Assert.Throws<IOException>(write).Message;
            Assert.Contains(found, message, StringComparison.Ordinal);
            Assert.DoesNotContain(".tmp", message, StringComparison.Ordinal);
        }
        Assert.Empty(folder.Files);
        string longest = folder[new string('b', 200)];
        WholeFile.Write(longest, temporary => File.WriteAllText(temporary, "x"));
        Assert.Equal("x", File.ReadAllText(longest));
    }
}
