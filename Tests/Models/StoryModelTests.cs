using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MambaRT.Cli;
using MambaRT.Formats;
using MambaRT.Runtime;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The bundled model against answers of the published Python code (transformers 5.17.0, float32) from the F16 weights it was made of.</summary>
public class StoryModelTests
{
    private const string F16Folder = "MAMBART_STORY_F16";
    private const int Prompts = 8, Greedy = 64, Top = 10, Window = 1024, Chunk = 256;

    /// <summary>
    /// Of any logit, in logits (the largest are 12 to 19). Measured: 0.27 with float32 activations, 0.36 with activations of 8 bits, which
    /// backends may use with Q8_0; both on the prompt of rare characters, prose is below 0.3.
    /// </summary>
    private const float Q8Bound = 0.5f;

    /// <summary>Of the distance of the best two logits, whose errors may add up: measured 0.25 and 0.53.</summary>
    private const float Q8MarginBound = 0.6f;

    /// <summary>Of a state's largest value: measured 1.7 % with float32 activations, 3.1 % with 8 bits.</summary>
    private const float Q8StateBound = 0.05f;

    /// <summary>Of perplexity: measured 0.03 % over all windows, 0.1 % over the first two.</summary>
    private const double PerplexityBound = 0.005;

    /// <summary>Of one window's negative log-likelihood: measured 0.2 %.</summary>
    private const double WindowBound = 0.01;

    /// <summary>Of any logit with the F16 weights: only the order of additions differs; measured 2e-5.</summary>
    private const float F16Bound = 1e-3f;

    [Fact]
    public void Bundled_Metadata_SaysWhatTheModelIs()
    {
        using GgufFile file = GgufFile.Open(BundledPath);
        GgufMetadata metadata = file.Metadata;
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        Assert.Equal("Llama MambaStory 25M", metadata.GetString("general.name"));
        Assert.Equal(7, metadata.GetInt32("general.file_type"));
        Assert.Equal((0, 3, false), (tokenizer.Eos, tokenizer.Eot, tokenizer.AddBos));
        Assert.True(tokenizer.IsEndOfGeneration(0) && tokenizer.IsEndOfGeneration(3));
        Assert.Equal((0.7f, 0.9f, 40), (metadata.GetFloat("general.sampling.temp"), metadata.GetFloat("general.sampling.top_p"), metadata.GetInt32("general.sampling.top_k")));
        Assert.StartsWith("{% for m in messages %}", metadata.GetString("tokenizer.chat_template"), StringComparison.Ordinal);
    }

    [Fact]
    public void Bundled_Prompts_BecomeThePublishedTokens()
    {
        using GgufFile file = GgufFile.Open(BundledPath);
        ITokenizer tokenizer = Tokenizer.Create(file.Metadata);
        using JsonDocument golden = Golden();
        foreach (JsonElement prompt in golden.RootElement.GetProperty("prompts").EnumerateArray())
            Assert.Equal(prompt.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(prompt.GetProperty("prompt").GetString(), parseSpecial: true));
    }

    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void Bundled_Prompts_GiveThePublishedLogitsAndGreedyTokens(string backend)
    {
        using IBackend device = TestBackends.Create(backend);
        using Model model = Model.Open(BundledPath, device);
        int decided = ComparePrompts(model, Q8Bound, Q8MarginBound);
        Assert.True(decided > Prompts * Greedy / 2, $"only {decided} of {Prompts * Greedy} greedy tokens are decided by more than {Q8MarginBound}");
    }

    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void Bundled_AfterAPrompt_HasThePublishedStates(string backend)
    {
        using IBackend device = TestBackends.Create(backend);
        using Model model = Model.Open(BundledPath, device);
        using SafetensorsFile golden = SafetensorsFile.Open(ModelData.PathOf("story", "golden.safetensors"));
        for (int k = 0; k < Prompts; k++)
        {
            using Session session = model.StartSession();
            session.Feed(ModelData.Ints(golden, $"p{k}.ids"));
            float[] state = MemoryMarshal.Cast<byte, float>(session.Save().State.Span).ToArray();
            foreach (int layer in (int[])[0, 11])
            {
                CompareState(model, state, $"blk.{layer}.conv", ModelData.Floats(golden, $"p{k}.layer{layer}.conv"), skipped: 1);   // theirs keeps one input more
                CompareState(model, state, $"blk.{layer}.scan", ModelData.Floats(golden, $"p{k}.layer{layer}.ssm"), skipped: 0);
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void Bundled_Perplexity_IsThatOfTheF16Weights(string backend)
    {
        using IBackend device = TestBackends.Create(backend);
        using Model model = Model.Open(BundledPath, device);
        using JsonDocument golden = Golden();
        JsonElement validation = golden.RootElement.GetProperty("val");
        double[] expected = [.. validation.GetProperty("row_nll").EnumerateArray().Select(row => row.GetDouble())];
        int[] ids = model.Tokenizer.Encode(ValidationText(), parseSpecial: true);
        Assert.Equal(validation.GetProperty("total_ids").GetInt32(), ids.Length);
        int windows = backend == TestBackends.Reference ? 2 : expected.Length;   // it takes half a minute for each
        double total = 0;
        for (int w = 0; w < windows; w++)
        {
            double found = NegativeLogLikelihood(model, ids.AsSpan(w * Window, Window));
            Assert.InRange(found / expected[w], 1 - WindowBound, 1 + WindowBound);
            total += found;
        }
        double perplexity = Math.Exp(total / (windows * (Window - 1))), wanted = Math.Exp(expected.Take(windows).Sum() / (windows * (Window - 1)));
        Assert.InRange(perplexity / wanted, 1 - PerplexityBound, 1 + PerplexityBound);
        if (windows == expected.Length) Assert.InRange(perplexity / validation.GetProperty("ppl").GetDouble(), 1 - PerplexityBound, 1 + PerplexityBound);
    }

    [LongFact(F16Folder, "the folder of the F16 checkpoint")]
    public void Original_Prompts_GiveThePublishedLogitsAndGreedyTokens()
    {
        using var converted = new ConvertedModel(Environment.GetEnvironmentVariable(F16Folder)!, QuantTypes.F16, TestBackends.Reference);
        Assert.True(ComparePrompts(converted.Model, F16Bound, F16Bound) > Prompts * Greedy * 9 / 10);
    }

    [LongFact(F16Folder, "the folder of the F16 checkpoint")]
    public void Original_Converted_IsTheBundledFile()
    {
        using var folder = new TemporaryFolder();
        string path = folder["model.gguf"];
        ModelConverter.Convert(Environment.GetEnvironmentVariable(F16Folder)!, path, new ConversionOptions { Target = QuantTarget.ByName("Q8_0")!, Name = "Llama MambaStory 25M" });
        Assert.Equal(File.ReadAllBytes(BundledPath), File.ReadAllBytes(path));
    }

    private static string BundledPath => ModelData.PathOf("models", DefaultModel.FileName);

    private static JsonDocument Golden() => JsonDocument.Parse(File.ReadAllText(ModelData.PathOf("story", "golden.json")));

    /// <summary>Compares logits of all prompts, then the greedy token of every step along the published continuation where the best two are further apart than their bound.</summary>
    /// <returns>Steps so compared.</returns>
    private static int ComparePrompts(Model model, float bound, float marginBound)
    {
        using SafetensorsFile golden = SafetensorsFile.Open(ModelData.PathOf("story", "golden.safetensors"));
        int decided = 0;
        for (int k = 0; k < Prompts; k++)
        {
            using Session session = model.StartSession();
            int[] ids = ModelData.Ints(golden, $"p{k}.ids"), greedy = ModelData.Ints(golden, $"p{k}.greedy");
            float[] margin = ModelData.Floats(golden, $"p{k}.greedy_margin"), last = ModelData.Floats(golden, $"p{k}.last_logits");
            float[] all = session.FeedAll(ids).ToArray();
            float[] logits = all[^last.Length..];
            float error = MathF.Max(ModelData.Distance(logits, last), TopError(golden, k, all, ids.Length));
            Assert.True(error <= bound, $"prompt {k}: logits differ by {error:g3}, bound {bound:g3}");
            for (int i = 0; i < Greedy; i++)
            {
                if (margin[i] > marginBound)
                {
                    decided++;
                    Assert.True(ModelData.ArgMax(logits) == greedy[i], $"prompt {k}, step {i}: token {ModelData.ArgMax(logits)} instead of {greedy[i]}, which leads by {margin[i]:g3}");
                }
                logits = session.Feed([greedy[i]]).ToArray();
            }
        }
        return decided;
    }

    private static float TopError(SafetensorsFile golden, int prompt, float[] logits, int positions)
    {
        int[] ids = ModelData.Ints(golden, $"p{prompt}.top10_ids");
        float[] expected = ModelData.Floats(golden, $"p{prompt}.top10_logits");
        int vocabulary = logits.Length / positions;
        float[] found = [.. ids.Select((id, i) => logits[i / Top * vocabulary + id])];
        return ModelData.Distance(found, expected);
    }

    private static void CompareState(Model model, float[] state, string name, float[] golden, int skipped)
    {
        StateSpec spec = model.Plan.States.Entries.ToArray().Single(entry => entry.Name == name);
        float largest = ModelData.Scale(golden);
        for (int row = 0; row < spec.Rows; row++)
        {
            ReadOnlySpan<float> expected = golden.AsSpan(row * (spec.Columns + skipped) + skipped, spec.Columns);
            float error = ModelData.Distance(state.AsSpan((int)spec.CanonicalOffset + row * spec.Columns, spec.Columns), expected) / largest;
            Assert.True(error <= Q8StateBound, $"{name}, channel {row}: error {error:g3} of scale, bound {Q8StateBound:g3}");
        }
    }

    private static double NegativeLogLikelihood(Model model, ReadOnlySpan<int> window)
    {
        using Session session = model.StartSession();
        double sum = 0;
        for (int start = 0; start < Window; start += Chunk)
        {
            ReadOnlySpan<float> logits = session.FeedAll(window.Slice(start, Chunk));
            int vocabulary = logits.Length / Chunk;
            for (int t = 0; t < Chunk && start + t + 1 < Window; t++)
                sum -= LogProbability(logits.Slice(t * vocabulary, vocabulary), window[start + t + 1]);
        }
        return sum;
    }

    private static double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        double largest = logits[ModelData.ArgMax(logits)], sum = 0;
        foreach (float logit in logits) sum += Math.Exp(logit - largest);
        return logits[token] - largest - Math.Log(sum);
    }

    private static string ValidationText()
    {
        using var zip = new GZipStream(File.OpenRead(ModelData.PathOf("story", "val_slice.txt.gz")), CompressionMode.Decompress);
        using var reader = new StreamReader(zip, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
