using System.Text.Json;
using MambaRT.Backends.Auto;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Verbs on the bundled model, which the build puts beside the tests.</summary>
public sealed class VerbTests
{
    private static readonly int[] Story = [1089, 792, 262, 496];

    [Fact]
    public void Logits_AsJson_AreDescendingAndRoundTrip()
    {
        JsonElement last = CommandLine.Run(["logits", "--tokens", "5,17,42", "--json"]).Json().GetProperty("positions");
        JsonElement all = CommandLine.Run(["logits", "--tokens", "5,17,42", "--all", "--top", "1000000", "--json"]).Json().GetProperty("positions");

        Assert.Equal(1, last.GetArrayLength());
        Assert.Equal(3, all.GetArrayLength());
        Assert.Equal(10, last[0].GetProperty("top").GetArrayLength());
        Assert.Equal([5, 17, 42], all.EnumerateArray().Select(p => p.GetProperty("token").GetInt32()));
        Assert.Equal([0, 1, 2], all.EnumerateArray().Select(p => p.GetProperty("position").GetInt32()));
        foreach (JsonElement position in all.EnumerateArray())
        {
            (float Logit, int Id)[] top = [.. position.GetProperty("top").EnumerateArray().Select(t => (t.GetProperty("logit").GetSingle(), t.GetProperty("id").GetInt32()))];
            Assert.Equal(8192, top.Length);
            Assert.Equal(top.OrderByDescending(t => t.Logit).ThenBy(t => t.Id), top);
        }
        Assert.Equal(last[0].GetProperty("top").EnumerateArray().Select(t => t.GetProperty("id").GetInt32()),
            all[2].GetProperty("top").EnumerateArray().Take(10).Select(t => t.GetProperty("id").GetInt32()));
    }

    [Fact]
    public void Logits_OfTextAndOfItsTokens_AreTheSame()
    {
        CommandLine text = CommandLine.Run(["logits", "-p", "Once upon a time", "--json"]), ids = CommandLine.Run(["logits", "--tokens", string.Join(',', Story), "--json"]);

        Assert.Equal(0, text.Code);
        Assert.Equal(ids.Output, text.Output);
    }

    [Fact]
    public void Run_AnotherChatTemplate_WritesTheTurnByIt()
    {
        string file = Path.Combine(Path.GetTempPath(), $"mambart-{Guid.NewGuid():N}.jinja");
        File.WriteAllText(file, "Once upon a {{ messages[0].content }}");
        try
        {
            CommandLine raw = Run("Once upon a time", "--no-chat-template"), text = Run("time", "--chat-template", "Once upon a {{ messages[0].content }}");
            Assert.Equal(raw.Json().GetProperty("text").GetString(), text.Json().GetProperty("text").GetString());
            Assert.Equal(text.Json().GetProperty("text").GetString(), Run("time", "--chat-template", file).Json().GetProperty("text").GetString());
            Assert.NotEqual(text.Json().GetProperty("text").GetString(), Run("time", "--chat-template", "chatml").Json().GetProperty("text").GetString());
        }
        finally
        {
            File.Delete(file);
        }

        static CommandLine Run(string prompt, params string[] more) => CommandLine.Run(["run", "-p", prompt, "-n", "8", "--temp", "0", "--ignore-eos", "--json", .. more]);
    }

    [Fact]
    public void Tokenize_ThenDetokenize_GivesTheTextBack()
    {
        const string text = "Once upon a time<|end|>\n\u00e9\U0001F600";

        CommandLine ids = CommandLine.Run(["tokenize", "--ids"], text);
        CommandLine back = CommandLine.Run(["detokenize"], ids.Output);

        Assert.StartsWith(string.Join(',', Story) + ",3,", ids.Output);
        Assert.Equal(text, back.Output);
    }

    [Fact]
    public void Tokenize_WithoutSpecialTokens_TakesThemAsText()
    {
        CommandLine run = CommandLine.Run(["tokenize", "--ids", "--no-parse-special", "-p", "<|end|>"]);

        Assert.True(run.Output.Split(',').Length > 1, run.Output);
    }

    [Fact]
    public void Run_GreedyAndRaw_WritesTheTextAloneToOutput()
    {
        CommandLine run = CommandLine.Run(["run", "--raw", "-p", "Once upon a time", "-n", "12", "--temp", "0"]);
        CommandLine json = CommandLine.Run(["run", "--raw", "-n", "12", "--temp", "0", "--json"], "Once upon a time\n");

        Assert.Equal(0, run.Code);
        Assert.StartsWith(", there was", run.Output);
        Assert.Contains("generated 12", run.Error);
        Assert.Equal(run.Output, json.Json().GetProperty("text").GetString());
        Assert.Equal(4, json.Json().GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(12, json.Json().GetProperty("generated_tokens").GetInt32());
    }

    [Fact]
    public void Run_SameSeed_GivesTheSameAnswer()
    {
        string[] args = ["run", "-p", "Write a story about watermelons", "-n", "20", "--seed", "7"];

        CommandLine first = CommandLine.Run(args), second = CommandLine.Run(args);

        Assert.NotEmpty(first.Output);
        Assert.Equal(first.Output, second.Output);
    }

    [Fact]
    public void Run_WithAStopString_EndsBeforeIt()
    {
        string[] args = ["run", "--raw", "-p", "Once upon a time", "-n", "40", "--temp", "0"];
        string whole = CommandLine.Run(args).Output;

        CommandLine stopped = CommandLine.Run([.. args, "--stop", " little"]);

        Assert.Contains(" little", whole);
        Assert.Equal(whole[..whole.IndexOf(" little", StringComparison.Ordinal)], stopped.Output);
    }

    [Fact]
    public void Run_WithBannedToken_PicksAnother()
    {
        string[] args = ["run", "--raw", "-p", "Once upon a time", "-n", "1", "--temp", "0"];
        string first = CommandLine.Run(args).Output;
        string token = CommandLine.Run(["tokenize", "--ids", "-p", first]).Output.Trim();

        CommandLine banned = CommandLine.Run([.. args, "--logit-bias", token + "-inf"]);

        Assert.Equal(0, banned.Code);
        Assert.NotEqual(first, banned.Output);
    }

    [Fact]
    public void Perplexity_ShortText_ScoresAllButTheFirstOfEachWindow()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.txt"], string.Concat(Enumerable.Repeat("Once upon a time, there was a little boy named Tim. ", 12)));
        int tokens = CommandLine.Run(["tokenize", "-f", folder["text.txt"]]).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;

        CommandLine run = CommandLine.Run(["perplexity", "-f", folder["text.txt"], "-c", "32", "--json"]);

        JsonElement json = run.Json();
        Assert.Equal(tokens, json.GetProperty("tokens").GetInt32());
        Assert.Equal(tokens / 32, json.GetProperty("windows").GetInt32());
        Assert.Equal(tokens / 32 * 31, json.GetProperty("scored").GetInt32());
        Assert.InRange(json.GetProperty("perplexity").GetDouble(), 1, 100);
        Assert.Equal(json.GetProperty("perplexity").GetDouble(), Math.Exp(json.GetProperty("nats_per_token").GetDouble()), 6);
        Assert.Contains("100 %", run.Error);
    }

    [Fact]
    public void Perplexity_TextShorterThanAWindow_IsRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.txt"], "Once upon a time");

        CommandLine run = CommandLine.Run(["perplexity", "-f", folder["text.txt"]]);

        Assert.Equal(1, run.Code);
        Assert.Contains("smaller -c", run.Error);
    }

    [Fact]
    public void Info_BundledModel_TellsStateTensorsAndPlan()
    {
        CommandLine plain = CommandLine.Run(["info", "--plan"]);
        JsonElement json = CommandLine.Run(["info", "--plan", "--json"]).Json();

        Assert.Contains("blk.0.scan", plain.Output);
        Assert.Equal(912 * 1024, json.GetProperty("state_bytes").GetInt64());
        Assert.InRange(json.GetProperty("state_budget_bytes").GetInt64(), 4 * 912 * 1024, long.MaxValue);
        Assert.Equal(122, json.GetProperty("tensors").GetArrayLength());
        Assert.Equal("mamba", json.GetProperty("metadata").GetProperty("general.architecture").GetString());
        Assert.Equal("output", json.GetProperty("plan").EnumerateArray().Last().GetProperty("name").GetString());
    }

    [Theory]
    [InlineData("8M", 8 << 20)]
    [InlineData("1.5g", 3L << 29)]
    [InlineData("4000000", 4_000_000)]
    public void Info_StateBudget_IsTold(string size, long bytes) =>
        Assert.Equal(bytes, CommandLine.Run(["info", "--state-budget", size, "--json"]).Json().GetProperty("state_budget_bytes").GetInt64());

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("NaN")]
    [InlineData("many")]
    public void Info_StateBudgetThatIsNoSize_IsBadUsage(string size)
    {
        CommandLine run = CommandLine.Run(["info", "--state-budget", size]);

        Assert.Equal(2, run.Code);
        Assert.Contains("such as 2G", run.Error);
    }

    [Fact]
    public void Chat_Stats_TellWhatStatesTake()
    {
        CommandLine run = CommandLine.Run(["chat", "--commands", "-n", "1", "--state-budget", "5M"], "/fork\n/fork\n/fork\n/fork\n/stats\n/fork\n/quit\n");

        Assert.Contains("States of 912.0 KiB each, for branches and kept turns, take 4.5 MiB of 5.0 MiB.", run.Error);   // as many as there is room for
        Assert.Matches("A state takes 933,888 bytes and the budget for states is 5,242,880, which has no room for 6 of them; .*--state-budget", run.Error);
        Assert.Equal(1, run.Code);
    }

    [Fact]
    public void Devices_OfThisMachine_AreThoseThatRunAndWhyOthersDoNot()
    {
        CommandLine plain = CommandLine.Run(["devices"]);
        JsonElement told = CommandLine.Run(["devices", "--json"]).Json();
        string?[] names = [.. told.GetProperty("devices").EnumerateArray().Select(d => d.GetProperty("name").GetString())];
        var reasons = told.GetProperty("missing").EnumerateArray().ToDictionary(d => d.GetProperty("name").GetString()!, d => d.GetProperty("reason").GetString());   // every entry has a name

        Assert.Contains("reference", names);
        foreach (string name in (string[])["cpu", "cpu:vnni", "cpu:avx2", "cuda", "vulkan", "reference"])
        {
            string? why = BackendSelector.WhyNot(name);
            Assert.Equal(why is null, names.Contains(name));
            Assert.Equal(why, reasons.GetValueOrDefault(name));
            Assert.Contains(why is null ? name : $"{name.ToUpperInvariant()}: {why}", plain.Output);
        }
    }
}
