using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The published executable among other processes and files: packed, cut off from its reader, robbed of its model.</summary>
public sealed class AotProcessTests
{
    private const string Prompt = "Write a story about watermelons";

    [PublishedFact(NeedsModel = true)]
    public void Pack_BundledModel_AnswersAloneInItsFolder()
    {
        using var folder = new TemporaryFolder();
        string packed = folder[OperatingSystem.IsWindows() ? "story.exe" : "story"];
        PublishedBinary.Run("pack", "-m", PublishedBinary.Model, "-o", packed).Succeeded();
        string[] command = ["run", "-p", Prompt, "--temp", "0", "-n", "12"];
        string answer = PublishedBinary.RunExecutable(packed, "", command).Succeeded().Output;
        Assert.NotEqual("", answer.Trim());
        Assert.Equal(PublishedBinary.Run(command).Succeeded().Output, answer);
    }

    [PublishedFact(NeedsModel = true)]
    public void Chat_KilledWhileSaving_LeavesAWholeStateFile()
    {
        using var folder = new TemporaryFolder();
        string state = folder["chat.state"];
        string save = $"/save {state}\n";
        PublishedBinary.RunExecutable(PublishedBinary.Path!, save, "chat", "--commands").Succeeded();
        long whole = new FileInfo(state).Length;
        var random = new Random(11);
        for (int kill = 0; kill < 5; kill++)
        {
            using Process process = PublishedBinary.Start(PublishedBinary.Path!, "chat", "--commands");
            DateTime before = File.GetLastWriteTimeUtc(state);
            for (int i = 0; i < 500; i++) process.StandardInput.Write(save);
            process.StandardInput.Flush();
            Assert.True(SpinWait.SpinUntil(() => File.GetLastWriteTimeUtc(state) > before, TimeSpan.FromSeconds(60)), "Nothing was saved within 60 s.");
            Thread.Sleep(random.Next(30));
            Assert.False(process.HasExited, "It saved everything before it could be killed.");
            process.Kill();
            PublishedBinary.WaitForExit(process);
            _ = StateSnapshot.ReadFile(state);   // throws where a byte is missing or wrong
            Assert.Equal(whole, new FileInfo(state).Length);
        }
    }

    [PublishedFact(NeedsModel = true)]
    public void Run_ReaderGoesAway_EndsQuietly()
    {
        using Process process = PublishedBinary.Start(PublishedBinary.Path!, "run", "-p", Prompt, "--temp", "0", "-n", "100000", "--ignore-eos");
        process.StandardInput.Close();
        Assert.NotEqual(-1, process.StandardOutput.Read());
        process.StandardOutput.Close();
        string error = process.StandardError.ReadToEnd();
        PublishedBinary.WaitForExit(process);
        Assert.Equal(0, process.ExitCode);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Run_ModelTruncatedMeanwhile_SaysSo()
    {
        using var folder = new TemporaryFolder();
        string model = folder["model.gguf"];
        File.Copy(PublishedBinary.Model, model);
        using Process process = PublishedBinary.Start(PublishedBinary.Path!, "run", "-m", model, "-p", Prompt, "--seed", "1", "-n", "100000", "--ignore-eos");
        process.StandardInput.Close();
        Assert.NotEqual(-1, process.StandardOutput.Read());   // the model is loaded and answering
        using (var file = new FileStream(model, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) file.SetLength(4096);
        Task<string> rest = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        PublishedBinary.WaitForExit(process);
        _ = rest.Result;
        Assert.Equal(1, process.ExitCode);
        Assert.Contains("stable file", error, StringComparison.Ordinal);   // said between tokens by the check, within one by the signal handler
    }

    /// <summary>A driver that was copied in part: who loads it reads beyond its end.</summary>
    [PublishedFact(Needs = Needs.Linux)]
    public void Devices_DriverIsCutShort_NamesIt()
    {
        using var folder = new TemporaryFolder();
        string driver = folder["libcuda.so.1"];
        using (FileStream whole = File.OpenRead(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "libcoreclr.so")), cut = File.Create(driver))
        {
            byte[] start = new byte[3000];
            whole.ReadExactly(start);
            cut.Write(start);
        }
        PublishedBinary.Result result = PublishedBinary.RunExecutable("/bin/sh", "", "-c", $"LD_LIBRARY_PATH='{Path.GetDirectoryName(driver)}' exec '{PublishedBinary.Path}' devices");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"the library '{driver}' ends too soon", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [PublishedFact(Needs = Needs.Linux)]
    public void Streams_ClosedOrFull_NeverCrash()
    {
        foreach ((string command, int code) in new[]
        {
            ("--version >&-", 1), ("run --help >&-", 1), ("devices >&-", 1), ("devices 2>&- >&-", 1), ("run --bogus 2>&-", 2), ("run --bogus 2>/dev/full", 2),
            ("devices 2>&- <&-", 0), ("devices >/dev/full", 1), ("detokenize --tokens 5 <&- >&- 2>&-", 1),
        })
        {
            PublishedBinary.Result result = PublishedBinary.RunExecutable("/bin/sh", "", "-c", $"exec '{PublishedBinary.Path}' {command}");
            Assert.True(result.ExitCode == code, $"{command}: exit {result.ExitCode} instead of {code}: {result.Error}");
            if (command.EndsWith(" >&-", StringComparison.Ordinal) && !command.Contains("2>&-", StringComparison.Ordinal))
                Assert.Contains("Standard output cannot be written", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        }
    }

    /// <summary>Names of scratch files are random; where they came of the cryptographic generator, a machine without OpenSSL could write nothing.</summary>
    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Writing_AnyVerb_LoadsNoCryptography()
    {
        using var folder = new TemporaryFolder();
        foreach (string verb in new[] { $"quantize '{PublishedBinary.Model}' '{folder["q.gguf"]}' Q4_0 --allow-requantize", $"export '{PublishedBinary.Model}' -o '{folder["hub"]}'", $"chat --session '{folder["s"]}'" })
        {
            PublishedBinary.Result result = PublishedBinary.RunExecutable("/bin/sh", "hi\n", "-c", $"LD_DEBUG=libs exec '{PublishedBinary.Path}' {verb}").Succeeded();
            Assert.Contains("libc.so", result.Error, StringComparison.Ordinal);   // the loader says what it loads
            Assert.DoesNotContain("libssl", result.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("libcrypto", result.Error, StringComparison.Ordinal);
        }
    }
}
