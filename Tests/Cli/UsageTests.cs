using MambaRT.Backends.Auto;
using Xunit;

namespace MambaRT.Tests;

public sealed class UsageTests
{
    [Theory]
    [InlineData("bogus")]
    [InlineData("run", "--bogus")]
    [InlineData("run", "-p")]
    [InlineData("run", "-p", "x", "-n", "many")]
    [InlineData("run", "-p", "x", "-n", "-2")]
    [InlineData("run", "-p", "x", "-n", "99999999999999999999")]
    [InlineData("run", "-p", "x", "--temp", "hot")]
    [InlineData("run", "-p", "x", "--temp", "-1")]
    [InlineData("run", "-p", "x", "--temp", "NaN")]
    [InlineData("run", "-p", "x", "--top-p", "1.5")]
    [InlineData("run", "-p", "x", "--top-k", "-1")]
    [InlineData("run", "-p", "x", "--repeat-penalty", "0")]
    [InlineData("run", "-p", "x", "--logit-bias", "8192+1")]
    [InlineData("run", "-p", "x", "--seed", "4294967296")]
    [InlineData("run", "-p", "x", "--logit-bias", "five+1")]
    [InlineData("run", "-p", "x", "--logit-bias", "5+inf")]
    [InlineData("run", "-p", "x", "--backend", "abacus")]
    [InlineData("run", "-p", "x", "--affinity", "0,x")]
    [InlineData("run", "-p", "x", "--affinity", "1024")]
    [InlineData("run", "-p", "x", "--affinity", "0", "-t", "2")]
    [InlineData("bench", "--affinity", "0", "-t", "1,2")]
    [InlineData("bench", "-ngl", "3")]
    [InlineData("bench", "--frames", "3")]
    [InlineData("bench", "--prompt", "8", "--prompt", "16")]
    [InlineData("bench", "--host", "--prompt", "5")]
    [InlineData("bench", "--backend", "cpu,reference", "--gpu-layers", "3")]
    [InlineData("bench", "--backend", "cpu,")]
    [InlineData("chat", "--cache-dir", "")]
    [InlineData("chat", "--cache", "off", "--cache-dir", "x")]
    [InlineData("run", "-p", "x", "-ngl", "-1")]
    [InlineData("run", "-p", "x", "-f", "y")]
    [InlineData("run", "-p", "x", "--raw", "--system", "be kind")]
    [InlineData("run", "-p", "x", "--raw", "--chat-template", "chatml")]
    [InlineData("run", "-p", "x", "--no-chat-template", "--chat-template", "chatml")]
    [InlineData("run", "-p", "x", "--chat-template", "unheard-of")]
    [InlineData("logits", "--tokens", "5,x")]
    [InlineData("logits", "--tokens", "5", "--tokens", "6")]
    [InlineData("logits", "--tokens", "")]
    [InlineData("logits", "--tokens", "5", "-p", "x")]
    [InlineData("logits", "--tokens", "5", "--top", "0")]
    [InlineData("perplexity")]
    [InlineData("perplexity", "-f", "x", "-c", "1")]
    [InlineData("compare", "-f", "x")]
    [InlineData("compare", "base.gguf", "model.gguf")]
    [InlineData("compare", "base.gguf", "-f", "x")]
    [InlineData("compare", "base.gguf", "-f", "x", "--per-tensor", "Q9_9")]
    [InlineData("convert")]
    [InlineData("convert", "folder", "-o", "x.gguf", "--type", "Q9_9")]
    [InlineData("export", "x.gguf")]
    [InlineData("export", "x.gguf", "-o", "x", "--type", "Q8_0")]
    [InlineData("quantize")]
    [InlineData("quantize", "model.gguf")]
    [InlineData("imatrix", "-f", "x")]
    [InlineData("pack")]
    public void Run_BadUsage_ExitsWith2AndSaysWhy(params string[] args)
    {
        CommandLine run = CommandLine.Run(args);

        Assert.Equal(2, run.Code);
        Assert.Empty(run.Output);
        Assert.InRange(run.ErrorLines.Length, 1, 3);
    }

    [Theory]
    [InlineData("run", "-m", "there-is-none.gguf", "-p", "x")]
    [InlineData("run", "-m", ".", "-p", "x")]
    [InlineData("run", "-f", "there-is-none.txt")]
    [InlineData("run", "--raw", "-p", "")]
    [InlineData("logits", "--tokens", "99999999")]
    [InlineData("detokenize", "--tokens", "99999999")]
    [InlineData("perplexity", "-f", "there-is-none.txt")]
    [InlineData("compare", "base.gguf", "model.gguf", "-f", "there-is-none.txt")]
    [InlineData("convert", "there-is-none", "-o", "x.gguf")]
    [InlineData("export", "there-is-none.gguf", "-o", "x")]
    [InlineData("export", "there-is-none.gguf", "-o", ".")]
    [InlineData("run", "-m", "/dev/null", "-p", "x")]
    [InlineData("bench", "--html", "no-such-folder/report.html")]
    [InlineData("bench", "--csv", ".")]
    [InlineData("run", "-p", "x", "--affinity", "1023")]
    [InlineData("run", "-p", "x", "--affinity", "0,0")]
    [InlineData("run", "-p", "x", "--affinity", "0", "--backend", "reference")]
    [InlineData("bench", "--make", "mamba-130m", "--type", "Q8_0", "-o", "/dev/null")]
    public void Run_BadInput_ExitsWith1AndSaysWhy(params string[] args)
    {
        CommandLine run = CommandLine.Run(args);

        Assert.Equal(1, run.Code);
        Assert.Empty(run.Output);
        Assert.Single(run.ErrorLines);
    }

    [Fact]
    public void Run_DamagedModel_ExitsWith1InOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["bad.gguf"], [.. "GGUF"u8, 3, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127]);

        CommandLine run = CommandLine.Run(["info", "-m", folder["bad.gguf"]]);

        Assert.Equal(1, run.Code);
        Assert.Single(run.ErrorLines);
        Assert.Contains("bad.gguf", run.Error);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("chat")]
    [InlineData("info")]
    [InlineData("tokenize")]
    [InlineData("detokenize")]
    [InlineData("logits")]
    [InlineData("perplexity")]
    [InlineData("compare")]
    [InlineData("devices")]
    [InlineData("pack")]
    [InlineData("convert")]
    [InlineData("export")]
    [InlineData("quantize")]
    [InlineData("imatrix")]
    [InlineData("bench")]
    public void Help_EveryVerb_ShowsExamples(string verb)
    {
        CommandLine run = CommandLine.Run([verb, "--help"]);

        Assert.Equal(0, run.Code);
        Assert.Contains("Examples:\n  mambart " + verb, run.Output);
        Assert.Contains("--json", run.Output);
    }

    [Fact]
    public void Version_Asked_NamesTheInstructionSet()
    {
        CommandLine run = CommandLine.Run(["--version"]);

        Assert.Equal(0, run.Code);
        Assert.Matches(@"^mambart \d+\.\d+\.\d+ \(.+\)\n$", run.Output);
    }

    [Fact]
    public void Prompt_LooksLikeAnOptionOrAFile_IsTakenAsText()
    {
        CommandLine dashes = CommandLine.Run(["tokenize", "--json", "-p", "-foo"]), at = CommandLine.Run(["tokenize", "--json", "-p", "@you"]);

        Assert.Equal("-foo", string.Concat(dashes.Json().GetProperty("tokens").EnumerateArray().Select(t => t.GetProperty("piece").GetString())));
        Assert.Equal("@you", string.Concat(at.Json().GetProperty("tokens").EnumerateArray().Select(t => t.GetProperty("piece").GetString())));
    }

    [Fact]
    public void Counts_BeyondAnyUse_MeanAll()
    {
        CommandLine logits = CommandLine.Run(["logits", "--tokens", "5", "--top", "99999999999", "--json"]);
        CommandLine run = CommandLine.Run(["run", "-p", "hi", "-n", "99999999999", "--top-k", "99999999999", "--stop", " "]);

        Assert.Equal(8192, logits.Json().GetProperty("positions")[0].GetProperty("top").GetArrayLength());
        Assert.Equal(0, run.Code);
    }

    [Theory]
    [InlineData("--repeat-penalty", "0", "from 0.01 to 100")]
    [InlineData("--temp", "-1", "of 0 or more")]
    [InlineData("--threads", "2000", "from 0 to 1024")]
    public void Number_OutOfRange_NamesTheRange(string option, string value, string range) =>
        Assert.Contains(range, CommandLine.Run(["run", "-p", "x", option, value]).Error);

    [Fact]
    public void Bench_ListsNotGiven_MeasuresTheStandardOnes()
    {
        CommandLine run = CommandLine.Run(["bench", "-t", "1", "--budget", "0.01", "--no-check", "--json"]);

        Assert.Equal(0, run.Code);
        string[] modes = [.. run.Json().GetProperty("results").EnumerateArray().Select(r => $"{r.GetProperty("mode")} {r.GetProperty("batch")}")];
        // The budget may cut the longer prompts off.
        Assert.Equal(["prefill 1", "decode 1", "decode 4", "decode 16"], modes.Distinct());
    }

    [Fact]
    public void ContextAndLayers_Given_AreAnsweredInOneLineEach()
    {
        CommandLine run = CommandLine.Run(["logits", "--tokens", "5", "-c", "4096", "-ngl", "3"]);

        Assert.Equal(0, run.Code);
        string[] said = [.. run.ErrorLines.Where(line => !line.StartsWith("Uploading", StringComparison.Ordinal) && !line.StartsWith("Compiling", StringComparison.Ordinal))];
        Assert.Equal(2, said.Length);
        Assert.Contains(BackendSelector.FirstGpu is not null ? "layers run on" : BackendSelector.WhySoftwareIsLeft is not null ? "is software in the place of a GPU" : "there is no GPU", said[0]);
        Assert.Contains("912.0 KiB", said[1]);
        Assert.Contains("cpu is no GPU", CommandLine.Run(["logits", "--tokens", "5", "--backend", "cpu", "-ngl", "99"]).Error);
    }

    /// <summary>Also where none of a model's layers would run on it, and before anything is measured.</summary>
    [Theory]
    [InlineData("logits", "--tokens", "5", "-ngl", "0")]
    [InlineData("bench", "--budget", "0.01", "--prompt", "8")]
    public void Backend_DeviceThatIsNotThere_IsRefused(params string[] verb)
    {
        CommandLine run = CommandLine.Run([.. verb, "--backend", "vulkan:99"]);

        Assert.NotEqual(0, run.Code);
        Assert.StartsWith("Vulkan: ", Assert.Single(run.ErrorLines));
        Assert.Empty(run.Output);
    }

    [MachineTheory(Needs.Cuda)]
    [InlineData("cuda:99")]
    [InlineData("cuda:99:exact")]
    public void Backend_NumberOfNoDevice_NamesThoseThatAreThere(string name) => NamesDevices(name, "CUDA", "cuda");

    [MachineTheory(Needs.Vulkan)]
    [InlineData("vulkan:99")]
    [InlineData("vulkan:99:plain")]
    public void Backend_NumberOfNoVulkanDevice_NamesThoseThatAreThere(string name) => NamesDevices(name, "Vulkan", "vulkan");

    private static void NamesDevices(string name, string maker, string kind)
    {
        CommandLine run = CommandLine.Run(["logits", "--tokens", "5", "--backend", name]);

        Assert.Equal(1, run.Code);
        Assert.Matches($"^{maker}: there is no device 99, only {kind}:0( to {kind}:\\d+)?; choose --backend {kind}:0, or cpu\\.$", Assert.Single(run.ErrorLines));
    }
}
