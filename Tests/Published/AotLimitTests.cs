using Xunit;

namespace MambaRT.Tests;

/// <summary>The published executable where the system gives it little: each run ends well, or with exit code 1 and a sentence.</summary>
public sealed class AotLimitTests
{
    /// <summary>Mebibytes of address space with which --version works: below twice that the runtime may fail where none of our code is asked.</summary>
    private const int NeededByVersion = 230;

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Run_LittleMemory_IsRefusedInASentence()
    {
        // Without arenas of malloc for each thread, which glibc takes from 64 or 128 MiB of addresses in some runs and not in others.
        InShell($"ulimit -v {NeededByVersion << 10}; MALLOC_ARENA_MAX=1 exec {Program} --version").Succeeded();
        for (int mebibytes = 2 * NeededByVersion; mebibytes <= 800; mebibytes += 40) AssertSaid(WithAddressSpace(mebibytes), $"{mebibytes} MiB");
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Run_HardlyAnyMemory_EndsWithAWord()
    {
        foreach (int mebibytes in (int[])[160, 180, 192, 195, 200, 205, 220, 260, 306, 350, 400])
        {
            PublishedBinary.Result result = WithAddressSpace(mebibytes);
            Assert.True(result.ExitCode is 0 or 1, $"{mebibytes} MiB: exit {result.ExitCode}: {result.Error}");
            Assert.NotEmpty(result.ErrorLines);
            Assert.DoesNotContain("Exception", result.Error, StringComparison.OrdinalIgnoreCase);
        }
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Run_SmallHeap_IsRefusedInASentence()
    {
        foreach (string limit in (string[])["10000", "100000", "1000000", "2000000"]) AssertSaid(InShell($"DOTNET_GCHeapHardLimit={limit} exec {Program} run -p hi -n 1"), limit);
    }

    /// <summary>Tokens that outgrow what the collector manages: .NET 10's faults where it should fail.</summary>
    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Tokenize_TextTooLongForItsAddressSpace_IsRefusedInASentence()
    {
        string tokenize = $"head -c 20000000 /dev/zero | tr '\\0' a | {Program} tokenize --ids >/dev/null";
        foreach (int mebibytes in (int[])[700, 1024, 1464]) AssertSaid(InShell($"ulimit -v {mebibytes << 10}; {tokenize}"), $"{mebibytes} MiB");
    }

    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Run_FewFileHandles_IsRefusedInASentence()
    {
        using var folder = new TemporaryFolder();
        foreach (string verb in (string[])["run -p hi -n 1", $"chat --session '{folder["s"]}'", $"quantize '{PublishedBinary.Model}' '{folder["q"]}' Q4_0 --allow-requantize"])
        {
            for (int handles = 4; handles <= 12; handles++)
            {
                PublishedBinary.Result result = InShell($"ulimit -n {handles}; exec {Program} {verb}");
                string limit = $"{verb}: {handles} handles";
                Assert.True(result.ExitCode is 0 or 1, $"{limit}: exit {result.ExitCode}: {result.Error}");
                if (result.ExitCode == 1) Assert.Contains("too few file handles", result.Error, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>A file that meets the limit on its size (SIGXFSZ): its name in a sentence, and nothing left behind.</summary>
    [PublishedFact(NeedsModel = true, Needs = Needs.Linux)]
    public void Output_FileSizeLimit_IsRefusedByNameAndLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        (string Verb, string Input, string File)[] outputs =
        [
            ($"quantize '{PublishedBinary.Model}' '{folder["q.gguf"]}' Q4_K_M --allow-requantize", "", folder["q.gguf"]),
            ($"convert '{ModelData.PathOf("checkpoints", "mamba")}' -o '{folder["c.gguf"]}'", "", folder["c.gguf"]),
            ($"chat -n 2 --session '{folder["s.chat"]}'", "Hello\n", folder["s.chat"]),
        ];
        foreach ((string verb, string input, string file) in outputs)
        {
            PublishedBinary.Result result = PublishedBinary.RunExecutable("/bin/sh", input, "-c", $"ulimit -f 100; exec {Program} {verb}");

            Assert.True(result.ExitCode == 1, $"{verb}: exit {result.ExitCode}: {result.Error}");
            Assert.Contains($"'{file}' cannot be written: it would be larger than files may be there (ulimit -f", result.Error, StringComparison.Ordinal);
            AssertSaid(result, verb);
            Assert.Empty(folder.Files);
        }
    }

    private static string Program => $"'{PublishedBinary.Path}'";

    private static PublishedBinary.Result WithAddressSpace(int mebibytes) => InShell($"ulimit -v {mebibytes << 10}; exec {Program} run -p hi -n 1");

    private static PublishedBinary.Result InShell(string command) => PublishedBinary.RunExecutable("/bin/sh", "", "-c", command);

    private static void AssertSaid(PublishedBinary.Result result, string limit)
    {
        Assert.True(result.ExitCode is 0 or 1, $"{limit}: exit {result.ExitCode}: {result.Error}");
        Assert.True(result.ErrorLines.Length > 0, $"{limit}: exit {result.ExitCode} without a word.");
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", result.Error, StringComparison.Ordinal);
    }
}
