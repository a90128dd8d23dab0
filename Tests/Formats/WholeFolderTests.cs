using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Folders written anew: all files are the old ones or all are the new ones, wherever a process ends.</summary>
public sealed class WholeFolderTests : IDisposable
{
    private static readonly string[] Names = ["config.json", "model.safetensors", "tokenizer.json"];

    private readonly TemporaryFolder _folder = new();

    public WholeFolderTests()
    {
        foreach (string name in Names[..2]) File.WriteAllText(_folder[name], "old");
        File.WriteAllText(_folder["README.md"], "other");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_WithReplace_ExchangesItsFilesAndKeepsOthers()
    {
        WholeFolder.Write(_folder["."], replace: true, [], WriteNew);

        AssertAll("new", Names);
    }

    [Fact]
    public void Write_FolderInTheWayOfAFile_ChangesNothing()
    {
        Directory.CreateDirectory(_folder["tokenizer.json"]);

        Assert.Contains("is a folder", Assert.Throws<IOException>(() => WholeFolder.Write(_folder["."], replace: true, [], WriteNew)).Message, StringComparison.Ordinal);

        AssertAll("old", Names[..2]);
    }

    [Fact]
    public void Write_OverAnInput_IsRefusedAndChangesNothing()
    {
        Assert.Throws<ArgumentException>(() => WholeFolder.Write(_folder["."], replace: true, [_folder["model.safetensors"]], WriteNew));

        AssertAll("old", Names[..2]);
        WholeFolder.Write(_folder["."], replace: true, [_folder["README.md"]], WriteNew);
        AssertAll("new", Names);
    }

    [Fact]
    public void Write_ThatFails_LeavesNeitherNewFilesNorANewFolder()
    {
        foreach (string path in (string[])[_folder["."], _folder["new"]])
            Assert.Throws<InvalidDataException>(() => WholeFolder.Write(path, replace: true, [], folder =>
            {
                WriteNew(folder);
                throw new InvalidDataException();
            }));

        AssertAll("old", Names[..2]);
        Assert.Empty(Directory.GetDirectories(_folder["."]));
    }

    /// <summary>Every state in which the exchange can be cut off, as files on the disk.</summary>
    [Theory]
    [InlineData("old", 0, "old")]         // nothing was moved yet
    [InlineData("old", 1, "old")]         // some old files were put aside
    [InlineData("old", 2, "old")]
    [InlineData("replaced", 0, "new")]    // decided; no new file was moved yet
    [InlineData("replaced", 2, "new")]
    [InlineData("replaced", 3, "new")]
    public void Write_AfterAnExchangeThatWasKilled_EndsItFirst(string stage, int moved, string expected)
    {
        string scratch = _folder[ScratchName.Of(5, ScratchName.Folder)], aside = Path.Combine(scratch, stage);
        Directory.CreateDirectory(aside);
        File.WriteAllText(_folder[ScratchName.Of(5, ScratchName.File)], "");
        WriteNew(scratch);
        foreach (string name in Names[..(stage == "old" ? moved : 2)]) Move(name, _folder["."], aside);   // there were two old files
        if (stage == "replaced")
            foreach (string name in Names[..moved]) Move(name, scratch, _folder["."]);

        WholeFile.WriteText(_folder["README.md"], "other");   // any writer into the folder

        AssertAll(expected, expected == "old" ? Names[..2] : Names);
    }

    private static void WriteNew(string folder)
    {
        foreach (string name in Names) File.WriteAllText(Path.Combine(folder, name), "new");
    }

    private static void Move(string name, string from, string to) => File.Move(Path.Combine(from, name), Path.Combine(to, name));

    private void AssertAll(string content, string[] names)
    {
        Assert.Equal([.. names.Append("README.md").Order(StringComparer.Ordinal)], _folder.Files);
        foreach (string name in names) Assert.Equal(content, File.ReadAllText(_folder[name]));
        Assert.Equal("other", File.ReadAllText(_folder["README.md"]));
        Assert.DoesNotContain(Directory.GetDirectories(_folder["."]), path => Path.GetFileName(path).StartsWith(".mambart", StringComparison.Ordinal));
    }
}
