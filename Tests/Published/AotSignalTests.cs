using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The published executable when it is asked to end.</summary>
public sealed class AotSignalTests
{
    /// <summary>What asks a program to end, and its exit code then, which is 128 and the signal's number.</summary>
    public static readonly (string Name, int Code)[] Signals = OperatingSystem.IsLinux()
        ? [.. new[] { ("INT", 130), ("TERM", 143), ("HUP", 129) }.Where(signal => !PublishedBinary.IsIgnored(signal.Item2 - 128))]
        : [];

    private static readonly string[] Endless = ["run", "--raw", "-p", "Once", "-n", "1000000", "--ignore-eos"];

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Run_Signal_EndsWithItsCode()
    {
        foreach ((string signal, int code) in Signals)
        {
            using Process process = PublishedBinary.Start(PublishedBinary.Path!, Endless);
            Assert.NotEqual(-1, process.StandardOutput.Read());

            Assert.Equal((signal, code), (signal, SendAndWait(process, process.Id, signal)));
        }
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Namespaces)]
    public void Run_SignalAsProcessOne_EndsWithItsCode()
    {
        foreach ((string signal, int code) in Signals)
        {
            using Process unshare = PublishedBinary.Start("unshare", ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", PublishedBinary.Path!, .. Endless]);
            Assert.NotEqual(-1, unshare.StandardOutput.Read());

            string child = File.ReadAllText($"/proc/{unshare.Id}/task/{unshare.Id}/children");
            Assert.Equal((signal, code), (signal, SendAndWait(unshare, int.Parse(child, CultureInfo.InvariantCulture), signal)));
        }
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Chat_SignalDuringAnAnswer_SavesTheSessionFirst()
    {
        foreach ((string signal, int code) in Signals)
        {
            using var folder = new TemporaryFolder();
            using Process process = PublishedBinary.Start(PublishedBinary.Path!, "chat", "--session", folder["s.chat"], "--ignore-eos");
            process.StandardInput.Write("Write a story about a fox\n");
            process.StandardInput.Flush();
            Assert.NotEqual(-1, process.StandardOutput.Read());

            Assert.Equal((signal, code), (signal, SendAndWait(process, process.Id, signal)));
            Assert.Contains("1 turn", PublishedBinary.Run("chat", "--session", folder["s.chat"]).Succeeded().Error, StringComparison.Ordinal);
        }
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Chat_SignalWhileItWaits_EndsWithItsCode()
    {
        foreach ((string signal, int code) in Signals)
        {
            using Process process = PublishedBinary.Start(PublishedBinary.Path!, "chat", "-n", "4");
            process.StandardInput.Write("Hello\n");
            process.StandardInput.Flush();
            Assert.NotNull(process.StandardOutput.ReadLine());   // answered; it waits for another line

            Assert.Equal((signal, code), (signal, SendAndWait(process, process.Id, signal)));
        }
    }

    private static int SendAndWait(Process process, int id, string signal)
    {
        using (Process kill = Process.Start("kill", [$"-{signal}", $"{id}"])) kill.WaitForExit();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        PublishedBinary.WaitForExit(process);
        Task.WaitAll(output, error);
        return process.ExitCode;
    }
}
