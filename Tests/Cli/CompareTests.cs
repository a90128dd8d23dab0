using System.Text.Json;
using System.Xml.Linq;
using MambaRT.Bench;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The verb on small models with random weights and a vocabulary.</summary>
public sealed class CompareTests : IDisposable
{
    private static readonly ModelShape Small = new Mamba().Shape("small", 256, 2, vocabulary: 320);

    private readonly TemporaryFolder _folder = new();

    public CompareTests()
    {
        ModelMaker.Write(Small, "F32", Base);
        ModelMaker.Write(Small, "Q8_0", Other);
        File.WriteAllText(Text, string.Concat(Enumerable.Range(0, 400).Select(i => $"number {i * i % 97}, ")));
    }

    private string Base => _folder["base.gguf"];

    private string Other => _folder["other.gguf"];

    private string Text => _folder["text.txt"];

    public void Dispose() => _folder.Dispose();

    private CommandLine Compare(params string[] args) => CommandLine.Run(["compare", .. args, "-f", Text, "-c", "32", "--limit", "130"]);

    [MachineFact(Needs.Cuda)]
    public void Compare_BackendNotGiven_RunsWhereAutoSaysAndWhereItIsSplit()
    {
        Assert.Equal(Backend("--backend", "cuda"), Backend());
        Assert.NotEqual(Backend("--backend", "cpu"), Backend());
        Assert.StartsWith("the last layer on cuda", Backend("-ngl", "1"), StringComparison.Ordinal);

        string Backend(params string[] args)
        {
            CommandLine run = Compare([Base, Other, "--json", .. args]);
            Assert.Equal(0, run.Code);
            return run.Json().GetProperty("backend").GetString()!;
        }
    }

    [Fact]
    public void Compare_AsJson_FindsNoLossInACopyAndSomeInAnotherModel()
    {
        File.Copy(Base, _folder["copy.gguf"]);

        CommandLine run = Compare(Base, _folder["copy.gguf"], Other, "--json");

        Assert.Equal(0, run.Code);
        JsonElement json = run.Json(), basis = json.GetProperty("base"), models = json.GetProperty("models"), copy = models[0], other = models[1];
        Assert.Equal(130, json.GetProperty("tokens").GetInt32());
        Assert.Equal(4, json.GetProperty("windows").GetInt32());
        Assert.Equal(4 * 31, json.GetProperty("scored").GetInt32());
        Assert.False(basis.TryGetProperty("kl_mean", out _));
        Assert.Equal(["copy.gguf", "other.gguf"], models.EnumerateArray().Select(m => m.GetProperty("name").GetString()));
        Assert.Equal(basis.GetProperty("perplexity").GetDouble(), copy.GetProperty("perplexity").GetDouble());
        foreach (string none in new[] { "kl_mean", "kl_mean_error", "kl_median", "kl_99", "kl_max", "max_logit_error", "perplexity_ratio_error" })
            Assert.Equal(0, copy.GetProperty(none).GetDouble());
        Assert.Equal(1, copy.GetProperty("same_top").GetDouble());
        Assert.Equal(1, copy.GetProperty("perplexity_ratio").GetDouble());
        Assert.Equal(32, basis.GetProperty("bits_per_weight").GetDouble(), 1);
        Assert.Equal(new FileInfo(Other).Length, other.GetProperty("bytes").GetInt64());
        Assert.InRange(other.GetProperty("bits_per_weight").GetDouble(), 8.5, 12);
        Assert.True(other.GetProperty("kl_mean").GetDouble() > 1e-4);
        Assert.True(other.GetProperty("kl_max").GetDouble() >= other.GetProperty("kl_99").GetDouble());
        Assert.Equal(other.GetProperty("perplexity").GetDouble() / basis.GetProperty("perplexity").GetDouble(), other.GetProperty("perplexity_ratio").GetDouble(), 9);
    }

    [Fact]
    public void Compare_BaseAlone_GivesThePerplexityOfTheOtherVerb()
    {
        JsonElement basis = Compare(Base, Other, "--json").Json().GetProperty("base");

        JsonElement alone = CommandLine.Run(["perplexity", "-m", Base, "-f", Text, "-c", "32", "--limit", "130", "--json"]).Json();

        foreach (string number in new[] { "perplexity", "perplexity_error", "nats_per_token" })
            Assert.Equal(alone.GetProperty(number).GetDouble(), basis.GetProperty(number).GetDouble());
    }

    [Fact]
    public void Compare_PerTensor_TellsWhatEachMatrixAndEachRoleCosts()
    {
        CommandLine run = Compare(Base, "--per-tensor", "Q8_0", "--json");

        JsonElement json = run.Json();
        (string Name, double Kl, double Bits, long Bytes)[] variants = [.. json.GetProperty("variants").EnumerateArray().Select(v =>
            (v.GetProperty("name").GetString()!, v.GetProperty("kl_mean").GetDouble(), v.GetProperty("bits_per_weight").GetDouble(), v.GetProperty("bytes").GetInt64()))];
        Assert.Equal("Q8_0", json.GetProperty("variant_type").GetString());
        Assert.Equal(["blk.*.ssm_in.weight", "blk.*.ssm_out.weight", "blk.*.ssm_x.weight"], variants.Where(v => v.Name.Contains('*')).Select(v => v.Name).Order());
        Assert.Equal(1 + 2 * 3 + 3, variants.Length);
        Assert.All(variants, v => Assert.InRange(v.Kl, 1e-12, 0.05));
        Assert.All(variants, v => Assert.InRange(v.Bits, 8.5, 31.999));
        using GgufFile file = GgufFile.Open(Base);
        GgufTensorInfo tensor = file.Tensors.Single(t => t.Name == "blk.1.ssm_out.weight");
        Assert.Equal(file.FileBytes - tensor.Bytes + QuantTypes.Q8_0.RowBytes(tensor.Columns) * tensor.Rows, variants.Single(v => v.Name == tensor.Name).Bytes);
        // dt_rank is 16.
        Assert.Contains("blk.0.ssm_dt.weight", run.Error);
    }

    [Fact]
    public void Compare_Reports_AreWholePagesWithEveryModel()
    {
        CommandLine run = Compare(Base, Other, "--per-tensor", "F16", "--html", _folder["loss.html"], "--md", _folder["loss.md"], "--speed");

        Assert.Equal(0, run.Code);
        Assert.Contains("Against base.gguf", run.Output);
        Assert.Contains("tokens/s", run.Output);
        Assert.Contains("100 %", run.Error);
        string html = File.ReadAllText(_folder["loss.html"]), md = File.ReadAllText(_folder["loss.md"]);
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("http", html.Replace("http://www.w3.org/2000/svg", ""));
        XElement[] plots = [.. html.Split("<svg ")[1..].Select(part => XElement.Parse("<svg " + part[..(part.IndexOf("</svg>", StringComparison.Ordinal) + 6)]))];
        Assert.Equal(3, plots.Length);
        Assert.Contains("other", plots[0].Value);
        Assert.Contains("blk.*.ssm_in.weight", plots[2].Value);
        string[][] tables = [.. md.Split("\n\n").Where(part => part.StartsWith('|')).Select(part => part.TrimEnd().Split('\n'))];
        Assert.Equal([2 + 2, 2 + 1 + 13], tables.Select(t => t.Length));
        Assert.All(tables, table => Assert.Single(table.Select(row => row.Split('|').Length).Distinct()));
        Assert.StartsWith("| other.gguf |", tables[0][^1]);
        Assert.Equal(_folder.Files.Order(), new[] { "base.gguf", "loss.html", "loss.md", "other.gguf", "text.txt" });
    }

    [Fact]
    public void Compare_OtherVocabulary_IsRefused()
    {
        ModelMaker.Write(new Mamba().Shape("small", 256, 2, vocabulary: 352), "Q8_0", _folder["wide.gguf"]);
        using (GgufFile file = GgufFile.Open(Base, new GgufOpenOptions { CopyToMemory = true }))
        {
            string[] tokens = file.Metadata.TryGetStrings("tokenizer.ggml.tokens")!;   // it has a vocabulary
            tokens[300] += "x";
            file.Metadata.Set("tokenizer.ggml.tokens", tokens);
            var writer = new GgufWriter(file.Metadata);
            foreach (GgufTensorInfo tensor in file.Tensors)
                writer.AddTensor(tensor.Name, tensor.Type, [.. tensor.Dimensions], stream =>
                {
                    Assert.True(file.TryGet(tensor.Name, out TensorView view));
                    for (int r = 0; r < view.Rows; r++) stream.Write(view.Row(r));
                });
            writer.Write(_folder["renamed.gguf"]);
        }

        CommandLine wide = Compare(Base, _folder["wide.gguf"]), renamed = Compare(Base, _folder["renamed.gguf"]);

        Assert.Equal((1, 1), (wide.Code, renamed.Code));
        Assert.Contains("knows 352 tokens", wide.ErrorLines[^1]);
        Assert.Contains("Token 300 of", renamed.ErrorLines[^1]);
    }

    [Fact]
    public void Compare_DamagedWeights_NameTheModel()
    {
        long at;
        using (GgufFile file = GgufFile.Open(Base)) at = file.Tensors.Single(t => t.Name == "output_norm.weight").Offset;
        File.Copy(Base, _folder["bad.gguf"]);
        using (FileStream stream = File.OpenWrite(_folder["bad.gguf"]))
        {
            stream.Position = at;
            stream.Write(BitConverter.GetBytes(float.NaN));
        }

        CommandLine run = Compare(Base, _folder["bad.gguf"], "--html", _folder["loss.html"]);

        Assert.Equal(1, run.Code);
        Assert.Empty(run.Output);
        Assert.Contains("bad.gguf: tensor 'output_norm.weight' holds NaN", run.ErrorLines[^1]);
        Assert.False(File.Exists(_folder["loss.html"]));
    }

    [Fact]
    public void Compare_EmptyOrShortText_IsRefused()
    {
        File.WriteAllText(Text, "");
        CommandLine empty = Compare(Base, Other);
        File.WriteAllText(Text, "a few words");
        CommandLine brief = Compare(Base, Other);

        Assert.Equal((1, 1), (empty.Code, brief.Code));
        Assert.Contains("is empty", Assert.Single(empty.ErrorLines));
        Assert.Contains("smaller -c", Assert.Single(brief.ErrorLines));
    }

    [Fact]
    public void Compare_TypeThatIsOnlyRead_IsRefusedByName()
    {
        CommandLine run = Compare(Base, "--per-tensor", "IQ1_S");

        Assert.Equal(1, run.Code);
        Assert.Contains("IQ1_S", Assert.Single(run.ErrorLines));
    }

    [Fact]
    public void Compare_OutputInAMissingFolder_IsRefusedBeforeTheWork()
    {
        CommandLine run = Compare(Base, Other, "--md", _folder["none/loss.md"]);

        Assert.Equal(1, run.Code);
        Assert.Contains("no folder", Assert.Single(run.ErrorLines));
    }
}
