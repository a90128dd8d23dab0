using System.Diagnostics;
using System.Runtime.Versioning;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The published executable and its files when it is ended, killed, or not alone.</summary>
public sealed class AotFileTests
{
    private static readonly string[] Make = ["bench", "--make", "mamba-1.4b", "--type", "F16", "-o"];

    [PublishedFact(Needs = Needs.Linux)]
    public void Make_Signal_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        foreach ((string signal, int code) in AotSignalTests.Signals)
        {
            using Process process = Writing(folder);

            End(process, signal);
            Assert.Equal(code, process.ExitCode);

            Assert.Empty(Directory.GetFileSystemEntries(folder["."]));
        }
    }

    [PublishedFact(Needs = Needs.Linux)]
    public void Make_Killed_IsTidiedUpByTheNextWriter()
    {
        using var folder = new TemporaryFolder();
        using (Process killed = Writing(folder)) End(killed, "KILL");
        string[] left = folder.Files;
        Assert.NotEmpty(left);
        using (Process living = Writing(folder))
        {
            Assert.Empty(folder.Files.Intersect(left));
            string[] own = folder.Files;
            PublishedBinary.Run("bench", "--make", "mamba-130m", "--type", "Q4_0", "-o", folder["small.gguf"]).Succeeded();

            Assert.Equal([.. own.Append("small.gguf").Order(StringComparer.Ordinal)], folder.Files);   // the living writer's file stays
            End(living, "TERM");
        }
        Assert.Equal(["small.gguf"], folder.Files);
    }

    [PublishedFact(Needs = Needs.Namespaces)]
    public void Make_OnAFullDisk_SaysSoAndLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        PublishedBinary.Result run = PublishedBinary.RunExecutable("unshare", "", "--user", "--map-root-user", "--mount", "sh", "-c",
            $"mount -t tmpfs -o size=8m none '{folder["."]}' || exit; '{PublishedBinary.Path}' bench --make mamba-130m --type Q8_0 -o '{folder["m.gguf"]}'; code=$?; ls -A '{folder["."]}'; exit $code");

        Assert.Equal((1, ""), (run.ExitCode, run.Output));
        Assert.Contains("the disk is full", run.Error, StringComparison.Ordinal);
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Session_TwoChats_TheSecondIsRefusedUntilTheFirstIsGone()
    {
        using var folder = new TemporaryFolder();
        string[] chat = ["chat", "-n", "3", "--session", folder["s.chat"]];
        using (Process first = PublishedBinary.Start(PublishedBinary.Path!, chat))
        {
            first.StandardInput.Write("Hello\n");
            first.StandardInput.Flush();
            Assert.NotNull(first.StandardOutput.ReadLine());

            PublishedBinary.Result second = PublishedBinary.RunExecutable(PublishedBinary.Path!, "Hello\n", chat);
            Assert.Equal((1, ""), (second.ExitCode, second.Output));
            Assert.Contains("in use by another chat", Assert.Single(second.ErrorLines), StringComparison.Ordinal);
            End(first, "KILL");
        }

        Assert.Contains("1 turn", PublishedBinary.RunExecutable(PublishedBinary.Path!, "Hello\n", chat).Succeeded().Error, StringComparison.Ordinal);
        Assert.Equal(["s.chat"], folder.Files);
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    [UnsupportedOSPlatform("windows")]
    public void Session_PrivateFileBehindALink_StaysBoth()
    {
        using var folder = new TemporaryFolder();
        PublishedBinary.RunExecutable(PublishedBinary.Path!, "Hello\n", "chat", "-n", "3", "--session", folder["s.chat"]).Succeeded();
        File.SetUnixFileMode(folder["s.chat"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.CreateSymbolicLink(folder["l.chat"], "s.chat");

        PublishedBinary.RunExecutable(PublishedBinary.Path!, "Hello\n", "chat", "-n", "3", "--session", folder["l.chat"]).Succeeded();

        Assert.Equal("s.chat", new FileInfo(folder["l.chat"]).LinkTarget);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder["s.chat"]));
        Assert.Contains("2 turns", PublishedBinary.Run("chat", "--session", folder["s.chat"]).Succeeded().Error, StringComparison.Ordinal);
    }

    /// <summary>A run that has begun to write a large model.</summary>
    private static Process Writing(TemporaryFolder folder)
    {
        string[] before = folder.Files;
        Process process = PublishedBinary.Start(PublishedBinary.Path!, [.. Make, folder["m.gguf"]]);
        Assert.True(SpinWait.SpinUntil(() => folder.Files.Except(before).Any(name => ScratchName.Is(name, ScratchName.File) && Length(folder[name]) > 1 << 20), TimeSpan.FromSeconds(60)),
            "Nothing was written within 60 s.");
        return process;
    }

    private static long Length(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    private static void End(Process process, string signal)
    {
        using (Process kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"])) kill.WaitForExit();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        PublishedBinary.WaitForExit(process);
        Task.WaitAll(output, error);
    }
}
