using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using MambaRT.Backends.Auto;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The answers of the published executable.</summary>
public sealed class AotBinaryTests
{
    private const string Prompt = "Write a story about watermelons";

    [PublishedFact]
    public void Version_Asked_NamesInstructionSet()
    {
        string text = PublishedBinary.Run("--version").Succeeded().Output;
        Assert.Matches(@"\d+\.\d+\.\d+", text);
        Assert.Contains(X86Base.IsSupported ? "x86-64-v3" : "arm64", text, StringComparison.Ordinal);
        Assert.DoesNotContain("JIT", text, StringComparison.Ordinal);
    }

    [PublishedFact]
    public void Option_Unknown_IsRefusedWithUsageExitCode()
    {
        PublishedBinary.Result result = PublishedBinary.Run("run", "--no-such-option");
        Assert.Equal(2, result.ExitCode);
        Assert.InRange(result.ErrorLines.Length, 1, 3);
        Assert.Contains("--no-such-option", result.Error, StringComparison.Ordinal);
    }

    [PublishedFact]
    public void Model_Garbage_IsRefusedInWords()
    {
        using var folder = new TemporaryFolder();
        string file = folder["broken.gguf"];
        var bytes = new byte[10_000];
        new Random(7).NextBytes(bytes);
        File.WriteAllBytes(file, bytes);
        AssertRefused(PublishedBinary.Run("run", "-m", file, "-p", Prompt, "-n", "4"));
    }

    [PublishedFact(NeedsModel = true)]
    public void Model_CutOff_IsRefusedInWords()
    {
        using var folder = new TemporaryFolder();
        string file = folder["cut.gguf"];
        byte[] model = File.ReadAllBytes(PublishedBinary.Model);
        File.WriteAllBytes(file, model.AsSpan(0, model.Length / 2));
        AssertRefused(PublishedBinary.Run("run", "-m", file, "-p", Prompt, "-n", "4"));
    }

    [PublishedFact(NeedsModel = true)]
    public void Run_Greedy_TellsTheSameStoryTwice()
    {
        string[] command = ["run", "-p", Prompt, "--temp", "0", "-n", "64"];
        string first = PublishedBinary.Run(command).Succeeded().Output;
        Assert.StartsWith("Once upon a time", first.TrimStart(), StringComparison.Ordinal);
        Assert.True(first.Length > 120, first);
        Assert.Equal(first, PublishedBinary.Run(command).Succeeded().Output);
    }

    [PublishedFact(NeedsModel = true)]
    public void Run_PromptFromStandardInput_EqualsPromptFromOption()
    {
        string byOption = PublishedBinary.Run("run", "-p", Prompt, "--temp", "0", "-n", "12").Succeeded().Output;
        string byInput = PublishedBinary.RunExecutable(PublishedBinary.Path!, Prompt + "\n", "run", "-f", "-", "--temp", "0", "-n", "12").Succeeded().Output;
        Assert.Equal(byOption, byInput);
    }

    [PublishedFact(NeedsModel = true)]
    public void Logits_OfTokens_EqualThoseOfThisProcess()
    {
        string json = PublishedBinary.Run("logits", "--tokens", "5,17,42", "--json").Succeeded().Output;
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement position = document.RootElement.GetProperty("positions")[0];
        Assert.Equal(42, position.GetProperty("token").GetInt32());

        using IBackend backend = BackendSelector.Create();
        using Model model = Model.Open(PublishedBinary.Model, backend);
        using Session session = model.StartSession();
        ReadOnlySpan<float> expected = session.Feed([5, 17, 42]);
        JsonElement top = position.GetProperty("top");
        Assert.InRange(top.GetArrayLength(), 5, expected.Length);
        foreach (JsonElement entry in top.EnumerateArray())
            Assert.Equal(expected[entry.GetProperty("id").GetInt32()], entry.GetProperty("logit").GetSingle(), 1e-3f);   // vector widths may differ
    }

    [PublishedFact(NeedsModel = true)]
    public void TokenizeThenDetokenize_AnyText_ComesBackUnchanged()
    {
        const string text = "Maya's 3 watermelons - \u00fcber-juicy \u00e9t\u00e9, \u65e5\u672c \U0001F349!\n  Two  spaces.";
        string ids = PublishedBinary.Run("tokenize", "-p", text, "--ids").Succeeded().Output.Trim();
        Assert.Matches(@"^\d+(,\d+)+$", ids);
        Assert.Equal(text, PublishedBinary.Run("detokenize", "--tokens", ids).Succeeded().Output);
    }

    [PublishedFact(NeedsModel = true)]
    public void Info_OfBundledModel_NamesArchitecture() =>
        Assert.Contains("mamba", PublishedBinary.Run("info").Succeeded().Output, StringComparison.OrdinalIgnoreCase);

    private static void AssertRefused(PublishedBinary.Result result)
    {
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.InRange(result.ErrorLines.Length, 1, 3);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", result.Error, StringComparison.Ordinal);
    }
}
