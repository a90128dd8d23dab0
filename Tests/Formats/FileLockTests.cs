using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class FileLockTests
{
    [Fact]
    public void TryTake_WhileAnotherHoldsIt_GivesNoneByAnyNameOfTheFile()
    {
        using var folder = new TemporaryFolder();
        List<string> names = [folder["a"], folder["none/../a"]];
        if (!OperatingSystem.IsWindows()) names.Add(File.CreateSymbolicLink(folder["link"], "a").FullName);

        foreach (string first in names)
        {
            using FileLock? held = FileLock.TryTake(first);
            Assert.NotNull(held);
            foreach (string second in names) Assert.Null(FileLock.TryTake(second));
            WholeFile.WriteText(folder["a"], "written by its holder");
            using FileLock? other = FileLock.TryTake(folder["b"]);
            Assert.NotNull(other);
        }
    }

    [MachineFact(Needs.Linux)]
    public void TryTake_HardLink_GivesNoneAlsoAfterTheHolderReplacedTheFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        Link("a", "early");

        using (FileLock? held = FileLock.TryTake(folder["a"]))
        {
            Assert.NotNull(held);
            Assert.Null(FileLock.TryTake(folder["early"]));
            Assert.Equal("old", File.ReadAllText(folder["a"]));   // reading stays free
            WholeFile.WriteText(folder["a"], "new");
            held.Renew();
            Link("a", "late");
            Assert.Null(FileLock.TryTake(folder["late"]));
            Assert.Null(FileLock.TryTake(folder["early"]));
        }

        foreach (string name in (string[])["a", "early", "late"])
        {
            using FileLock? free = FileLock.TryTake(folder[name]);
            Assert.NotNull(free);
        }

        void Link(string from, string to)
        {
            using var link = System.Diagnostics.Process.Start("ln", [folder[from], folder[to]]);
            link.WaitForExit();
        }
    }

    [Fact]
    public void TryTake_AfterItsHolder_SucceedsAndLeavesNoFile()
    {
        using var folder = new TemporaryFolder();
        FileLock.TryTake(folder["a"])!.Dispose();   // nobody holds it

        using (FileLock? again = FileLock.TryTake(folder["a"])) Assert.NotNull(again);

        Assert.Empty(folder.Files);
    }

    [Fact]
    public void IsOpenElsewhere_MappedFile_IsTrueUntilItIsDisposed()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "model");

        using (var file = new MappedFile(folder["a"])) Assert.True(FileLock.IsOpenElsewhere(folder["a"]));

        Assert.False(FileLock.IsOpenElsewhere(folder["a"]));
        Assert.False(FileLock.IsOpenElsewhere(folder["none"]));
    }
}
