using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Files that leave something to a guess, and --override-kv.</summary>
public sealed class OverrideTests : IDisposable
{
    private const string Pre = "tokenizer.ggml.pre";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FileWithoutPreTokenizer_EveryVerbThatCutsText_WarnsInOneLine()
    {
        string model = Model(m => m.Remove(Pre)), named = Model(_ => { }, "named.gguf"), text = _folder["text.txt"];
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("the 1998 hi ", 10)));
        foreach (string[] verb in (string[][])
        [
            ["tokenize", "-p", "hi"], ["detokenize", "--tokens", "1"], ["run", "-p", "hi", "-n", "1"], ["chat"], ["info"], ["logits", "-p", "hi"],
            ["perplexity", "-f", text, "-c", "16"], ["imatrix", "-f", text, "-c", "16", "-o", _folder["im.gguf"]],
        ])
        {
            CommandLine guessed = CommandLine.Run([.. verb, "-m", model]);
            Assert.Equal(0, guessed.Code);
            Assert.Contains("'default'", Assert.Single(guessed.ErrorLines, line => line.StartsWith("Warning: ", StringComparison.Ordinal)), StringComparison.Ordinal);
            foreach (string[] known in (string[][])[["-m", named], ["-m", model, "--override-kv", $"{Pre}=str:gpt-2"]])
            {
                CommandLine quiet = CommandLine.Run([.. verb, .. known]);
                Assert.Equal((0, false), (quiet.Code, quiet.Error.Contains("Warning", StringComparison.Ordinal)));
            }
        }
        Assert.Single(CommandLine.Run(["compare", model, model, "-f", text, "-c", "16"]).ErrorLines, line => line.StartsWith("Warning: ", StringComparison.Ordinal));
    }

    [Fact]
    public void IdsOfNoTokens_AreToldInOneLineAndTakenAsNone()
    {
        string model = Model(m =>
        {
            m.Set("tokenizer.ggml.eos_token_id", -1);
            m.Set("tokenizer.ggml.padding_token_id", uint.MaxValue);
        });
        foreach (string[] verb in (string[][])[["tokenize", "-p", "hi"], ["run", "-p", "hi", "-n", "3"], ["logits", "-p", "hi"], ["info"]])
        {
            CommandLine run = CommandLine.Run([.. verb, "-m", model]);
            Assert.Equal(0, run.Code);
            string warning = Assert.Single(run.ErrorLines, line => line.StartsWith("Warning: ", StringComparison.Ordinal));
            Assert.Contains("key 'tokenizer.ggml.eos_token_id' is -1, key 'tokenizer.ggml.padding_token_id' is 4294967295;", warning, StringComparison.Ordinal);
        }
        Assert.Equal(0, CommandLine.Run(["export", model, "-o", _folder["hub-none"]]).Code);
        Assert.DoesNotContain("token_id", File.ReadAllText(Path.Combine(_folder["hub-none"], "config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void OverrideOfThePreTokenizer_ChangesTheCut()
    {
        // "default" splits "1hi" apart at the digit as "gpt-2" does not do within a run of digits longer than three.
        string model = Model(m =>
        {
            m.Remove(Pre);
            m.Set("tokenizer.ggml.tokens", (string[])[.. m.TryGetStrings("tokenizer.ggml.tokens")!, "12", "1212"]);
            m.Set("tokenizer.ggml.token_type", (int[])[.. m.TryGetInt32s("tokenizer.ggml.token_type")!, 1, 1]);
            m.Set("tokenizer.ggml.merges", (string[])["h i", "1 2", "12 12"]);
        });
        Assert.Equal("261,49,50\n", CommandLine.Run(["tokenize", "-m", model, "-p", "1212", "--ids", "--override-kv", $"{Pre}=str:default"]).Output);
        Assert.Equal("262\n", CommandLine.Run(["tokenize", "-m", model, "-p", "1212", "--ids", "--override-kv", $"{Pre}=str:gpt-2"]).Output);
    }

    [Fact]
    public void Overrides_OnEveryVerb_AreTakenOrRefusedByName()
    {
        string model = Model(_ => { }), text = _folder["text.txt"];
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("the 1998 hi ", 10)));
        foreach (string[] verb in (string[][])
        [
            ["run", "-m", model, "-p", "hi"], ["chat", "-m", model], ["info", "-m", model], ["tokenize", "-m", model, "-p", "hi"], ["detokenize", "-m", model, "--tokens", "1"],
            ["logits", "-m", model, "-p", "hi"], ["perplexity", "-m", model, "-f", text], ["compare", model, model, "-f", text], ["bench", "-m", model],
            ["export", model, "-o", _folder["hub"]], ["quantize", model, _folder["q.gguf"], "F16"], ["imatrix", "-m", model, "-f", text, "-o", _folder["im.gguf"]],
        ])
        {
            CommandLine form = CommandLine.Run([.. verb, "--override-kv", "general.name=text:x"]);
            Assert.Equal((2, ""), (form.Code, form.Output));
            Assert.Contains("--override-kv", Assert.Single(form.ErrorLines), StringComparison.Ordinal);
            CommandLine type = CommandLine.Run([.. verb, "--override-kv", "mamba.block_count=str:x"]);
            Assert.Equal((1, ""), (type.Code, type.Output));
            Assert.Contains("'mamba.block_count'", Assert.Single(type.ErrorLines), StringComparison.Ordinal);
        }
        CommandLine info = CommandLine.Run(["info", "-m", model, "--json", "--override-kv", "general.name=str:other,mamba.attention.layer_norm_rms_epsilon=float:0.5"]);
        Assert.Equal("other", info.Json().GetProperty("metadata").GetProperty("general.name").GetString());
        Assert.Equal(0.5f, info.Json().GetProperty("metadata").GetProperty("mamba.attention.layer_norm_rms_epsilon").GetSingle());
        Assert.Equal(0, CommandLine.Run(["quantize", model, _folder["q.gguf"], "F16", "--override-kv", "general.name=str:other"]).Code);
        using GgufFile written = GgufFile.Open(_folder["q.gguf"]);
        Assert.Equal("other", written.Metadata.GetString("general.name"));
    }

    [Theory]
    [InlineData("split.count=int:2", 2)]
    [InlineData("split.no=int:0", 2)]
    [InlineData("split.tensors.count=int:3", 2)]
    [InlineData("tokenizer.ggml.pre=str:zzz", 1)]
    [InlineData("tokenizer.ggml.model=str:zzz", 1)]
    [InlineData("general.alignment=int:7", 1)]
    public void Quantize_OverrideThatNoModelCouldBeOpenedWith_IsRefusedBeforeWriting(string text, int code)
    {
        CommandLine run = CommandLine.Run(["quantize", Model(_ => { }), _folder["q.gguf"], "F16", "--override-kv", text]);
        Assert.Equal((code, false), (run.Code, File.Exists(_folder["q.gguf"])));
        Assert.Contains(text.Split('=')[0], Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_EndThatIsNoToken_IsToldAndWritesWhatRuns()
    {
        CommandLine run = CommandLine.Run(["quantize", Model(_ => { }), _folder["q.gguf"], "F16", "--override-kv", "tokenizer.ggml.eos_token_id=int:999999"]);
        Assert.Equal(0, run.Code);
        Assert.Contains(run.ErrorLines, line => line.StartsWith("Warning: ", StringComparison.Ordinal) && line.Contains("'tokenizer.ggml.eos_token_id' is 999999", StringComparison.Ordinal));
        Assert.Equal(0, CommandLine.Run(["run", "-m", _folder["q.gguf"], "-p", "hi", "-n", "2"]).Code);
    }

    [Fact]
    public void RecommendedSampling_InTheFile_ActsAsTheOptionsDo()
    {
        string plain = Model(_ => { }), advised = Model(m =>
        {
            m.Set("general.sampling.min_p", 0.99f);
            m.Set("general.sampling.penalty_repeat", 50f);
            m.Set("general.sampling.penalty_last_n", 5);
            m.Set("general.sampling.sequence", "penalties;temperature;min_p");
        }, "advised.gguf");
        string[] options = ["--min-p", "0.99", "--repeat-penalty", "50", "--repeat-last-n", "5", "--samplers", "penalties;temperature;min_p"];
        for (int seed = 0; seed < 4; seed++)
        {
            string[] run = ["run", "--raw", "-p", "the", "-n", "20", "--ignore-eos", "--seed", $"{seed}"];
            string expected = CommandLine.Run([.. run, "-m", plain, .. options]).Output;
            Assert.Equal(expected, CommandLine.Run([.. run, "-m", advised]).Output);
            Assert.NotEqual(expected, CommandLine.Run([.. run, "-m", plain]).Output);
            Assert.Equal(CommandLine.Run([.. run, "-m", plain, "--mirostat", "1"]).Output,
                CommandLine.Run([.. run, "-m", plain, "--override-kv", "general.sampling.mirostat=int:1"]).Output);
        }
        Assert.Contains("sorcery", Assert.Single(CommandLine.Run(["run", "-m", plain, "-p", "x", "--samplers", "top_k;sorcery"]).ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public void RecommendedSampling_ThatCannotBeUsed_IsToldAndStopsNothing()
    {
        string model = Model(m =>
        {
            m.Set("general.sampling.temp", -1f);
            m.Set("general.sampling.mirostat", 7);
        });
        foreach (string[] options in (string[][])[[], ["--temp", "0.5", "--mirostat", "0"]])
        {
            CommandLine run = CommandLine.Run(["run", "-m", model, "-p", "hi", "-n", "2", .. options]);
            Assert.Equal(0, run.Code);
            string[] warnings = [.. run.ErrorLines.Where(line => line.StartsWith("Warning: ", StringComparison.Ordinal))];
            Assert.Equal(2, warnings.Length);
            Assert.Contains("'general.sampling.temp' is -1", warnings[0], StringComparison.Ordinal);
            Assert.Contains("'general.sampling.mirostat' is 7", warnings[1], StringComparison.Ordinal);
        }
        CommandLine export = CommandLine.Run(["export", model, "-o", _folder["hub-sampling"]]);
        Assert.Equal(0, export.Code);
        Assert.DoesNotContain("temperature", File.ReadAllText(Path.Combine(_folder["hub-sampling"], "generation_config.json")), StringComparison.Ordinal);
        Assert.Contains(export.ErrorLines, line => line.Contains("'general.sampling.temp'", StringComparison.Ordinal));
    }

    [Fact]
    public void HalfACharacter_LogProbsAndDetokenize_TellItsBytes()
    {
        string model = Model(_ => { });
        CommandLine run = CommandLine.Run(["run", "-m", model, "--raw", "-p", "hi", "-n", "1", "--temp", "0", "--logprobs", "2", "--json", "-l", "195+1000"]);
        var token = run.Json().GetProperty("tokens")[0];
        Assert.Equal(("\ufffd", "[195]"), (token.GetProperty("text").GetString(), token.GetProperty("bytes").GetRawText()));
        foreach (var top in token.GetProperty("top").EnumerateArray()) Assert.True(top.GetProperty("bytes").GetArrayLength() > 0);

        Assert.Equal("h\u00c3", CommandLine.Run(["detokenize", "-m", model, "--tokens", "104,195", "--raw"]).Output);   // a character a byte in this test
        Assert.Equal("[104,195]", CommandLine.Run(["detokenize", "-m", model, "--tokens", "104,195", "--json"]).Json().GetProperty("bytes").GetRawText());
        CommandLine whole = CommandLine.Run(["detokenize", "-m", model, "--tokens", "195,169", "--json"]);
        Assert.Equal("\u00e9", whole.Json().GetProperty("text").GetString());
        Assert.False(whole.Json().TryGetProperty("bytes", out _));
        Assert.Equal(2, CommandLine.Run(["detokenize", "-m", model, "--tokens", "1", "--raw", "--json"]).Code);
    }

    [Fact]
    public void RawBytes_ToAStream_AreTheBytesAfterTheText()
    {
        using var stream = new MemoryStream();
        var terminal = new MambaRT.Cli.Terminal { In = TextReader.Null, Out = new StreamWriter(stream), Error = TextWriter.Null };
        terminal.Out.Write("a");
        terminal.WriteBytes([0xc3, 0, 0xff]);
        Assert.Equal([(byte)'a', 0xc3, 0, 0xff], stream.ToArray());
    }

    private string Model(Action<GgufMetadata> change, string name = "model.gguf")
    {
        using var tiny = new TinyModel(change: m =>
        {
            m.Set("general.name", "tiny");
            change(m);
        });
        tiny.Write(_folder[name]);
        return _folder[name];
    }
}
