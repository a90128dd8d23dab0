using System.Diagnostics;
using System.Runtime.Versioning;
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

        Assert.Throws<InvalidDataException>(() => WholeFile.Write(folder["a"], stream =>
        {
            stream.Write("half"u8);
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

        WholeFile.WriteText(folder["a"], "new");

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

    [MachineTheory(Needs.Linux)]
    [InlineData("/dev/null")]
    [InlineData("/dev/stdout")]
    [InlineData("/proc/none")]
    public void EnsureWritable_Device_IsRefused(string path)
    {
        Assert.Contains("device", Assert.Throws<IOException>(() => WholeFile.EnsureWritable(path)).Message);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData(" ", "empty")]
    [InlineData("a256", "256 bytes")]
    [InlineData("\u00e9128", "256 bytes")]
    public void Write_NameThatCannotBe_IsRefusedInASentenceWithoutTemporaryName(string name, string found)
    {
        using var folder = new TemporaryFolder();
        string path = name.Trim().Length == 0 ? name : folder[new string(name[0], int.Parse(name[1..], System.Globalization.CultureInfo.InvariantCulture))];
        foreach (Action write in (Action[])[() => WholeFile.WriteText(path, ""), () => WholeFolder.Write(path, true, [], _ => { })])
        {
            string message = Assert.Throws<IOException>(write).Message;
            Assert.Contains(found, message, StringComparison.Ordinal);
            Assert.DoesNotContain(".tmp", message, StringComparison.Ordinal);
        }
        Assert.Empty(folder.Files);
        string longest = folder[new string('b', 255)];
        WholeFile.WriteText(longest, "x");
        Assert.Equal("x", File.ReadAllText(longest));
    }

    [MachineFact(Needs.Linux)]
    public void EnsureWritable_PipeOrLinkToADevice_IsRefused()
    {
        using var folder = new TemporaryFolder();
        Run("mkfifo", folder["pipe"]);
        File.CreateSymbolicLink(folder["full"], "/dev/full");

        Assert.Contains("pipe", Assert.Throws<IOException>(() => WholeFile.EnsureWritable(folder["pipe"])).Message, StringComparison.Ordinal);
        Assert.Contains("device", Assert.Throws<IOException>(() => WholeFile.EnsureWritable(folder["full"])).Message, StringComparison.Ordinal);
    }

    [MachineFact(Needs.Unix | Needs.Unprivileged)]
    [UnsupportedOSPlatform("windows")]
    public void EnsureWritable_ClosedFolder_IsRefusedBeforeTheWork()
    {
        using var folder = new TemporaryFolder();
        string closed = Directory.CreateDirectory(folder["closed"], UnixFileMode.UserRead | UnixFileMode.UserExecute).FullName;

        Assert.Contains("does not permit", Assert.Throws<IOException>(() => WholeFile.EnsureWritable(Path.Combine(closed, "a"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EnsureWritable_InputByAnotherPath_IsRefused()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["sub"]);
        File.WriteAllText(folder["model"], "model");
        List<string> names = [folder["model"], folder["sub/../model"], Path.GetRelativePath(Environment.CurrentDirectory, folder["model"])];
        if (!OperatingSystem.IsWindows())
        {
            File.CreateSymbolicLink(folder["link"], "model");
            File.CreateSymbolicLink(folder["link to a link"], folder["link"]);
            Directory.CreateSymbolicLink(folder["same"], folder["."]);
            names.AddRange([folder["link"], folder["link to a link"], folder["same/model"]]);
        }
        if (OperatingSystem.IsLinux())
        {
            Run("ln", folder["model"], folder["hard"]);
            names.Add(folder["hard"]);
        }
        File.WriteAllText(folder["copy"], "model");

        foreach (string output in names)
            foreach (string input in names)
                Assert.Contains("read to write it", Assert.Throws<ArgumentException>(() => WholeFile.EnsureWritable(output, folder["copy"], input)).Message, StringComparison.Ordinal);
        WholeFile.EnsureWritable(folder["copy"], names);
        WholeFile.EnsureWritable(folder["new"], [.. names, folder["none"]]);
    }

    [MachineFact(Needs.Unix)]
    public void Write_OverALink_KeepsItAndReplacesWhatItLeadsTo()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["sub"]);
        File.WriteAllText(folder["sub/a"], "old");
        File.CreateSymbolicLink(folder["link"], "sub/a");
        File.CreateSymbolicLink(folder["dangling"], "sub/b");

        WholeFile.WriteText(folder["link"], "new");
        WholeFile.WriteText(folder["dangling"], "other");

        Assert.Equal(("sub/a", "sub/b"), (new FileInfo(folder["link"]).LinkTarget, new FileInfo(folder["dangling"]).LinkTarget));
        Assert.Equal(("new", "other"), (File.ReadAllText(folder["sub/a"]), File.ReadAllText(folder["sub/b"])));
    }

    [MachineFact(Needs.Unix)]
    [UnsupportedOSPlatform("windows")]
    public void Write_OverAFile_KeepsItsPermissionsWhileItIsWrittenToo()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        foreach (UnixFileMode mode in (UnixFileMode[])[UnixFileMode.UserRead | UnixFileMode.UserWrite, (UnixFileMode)0x1b4])
        {
            File.SetUnixFileMode(folder["a"], mode);
            var seen = new List<UnixFileMode>();
            WholeFile.Write(folder["a"], stream => seen.Add(File.GetUnixFileMode(stream.SafeFileHandle)));
            Assert.Equal([mode], seen);
            Assert.Equal(mode, File.GetUnixFileMode(folder["a"]));
        }
    }

    [Fact]
    public void Write_AfterAKilledWriter_DeletesItsFilesAndNoOthers()
    {
        using var folder = new TemporaryFolder();
        string stale = folder[ScratchName.Of(1, ScratchName.File)], half = folder[ScratchName.Of(2, ScratchName.Folder)], held = folder[ScratchName.Of(3, ScratchName.Lock)];
        string[] others = [".mambart-0000000000000001.tmp", $".mambart-{new string('0', 32)}.tmp", Path.GetFileName(stale).ToUpperInvariant(), Path.GetFileName(stale)[1..], Path.GetFileName(stale) + "x", "a.tmp"];
        foreach (string path in (string[])[stale, held, .. others.Select(name => folder[name])]) File.WriteAllText(path, "");
        Directory.CreateDirectory(half);
        File.WriteAllText(Path.Combine(half, "config.json"), "");

        using (ScratchFile living = ScratchFile.Create(folder["."]))
        using (ScratchFolder filling = ScratchFolder.Create(folder["."]))
        {
            WholeFile.WriteText(folder["b"], "new");
            Assert.True(File.Exists(living.Path) && Directory.Exists(filling.Path));
        }

        Assert.Equal([.. others.Append("b").Order(StringComparer.Ordinal)], folder.Files);
        Assert.False(Directory.Exists(half));
    }

    [Fact]
    public void Write_ManyAtOnceInOneFolder_NoneTakesAnothersForStale()
    {
        using var folder = new TemporaryFolder();

        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, writer =>
        {
            for (int i = 0; i < 100; i++) WholeFile.WriteText(folder[$"{writer}"], $"{i}");
        });

        Assert.All(folder.Files, name => Assert.Equal("99", File.ReadAllText(folder[name])));
        Assert.Equal(8, folder.Files.Length);
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
