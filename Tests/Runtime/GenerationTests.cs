using System.Text;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class GenerationTests : IDisposable
{
    private static readonly int[] Prompt = [.. "Once upon a time"u8.ToArray().Select(b => (int)b)];

    private readonly TinyModel _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public void Generate_MaxTokens_EndsThere(int max)
    {
        using Session session = _tiny.Model.StartSession();
        var generator = new TextGenerator(session, TinyModel.Printable(3).Build(), new GenerationOptions { MaxTokens = max });
        string text = string.Concat(generator.Generate(Prompt));
        Assert.Equal(max, text.Length);
        Assert.Equal(max, generator.Stats.GeneratedTokens);
        Assert.Equal(Math.Max(0, max - 1), generator.Stats.DecodedTokens);
        Assert.Equal(Prompt.Length, generator.Stats.PromptTokens);
        Assert.Equal(StopReason.MaxTokens, generator.Stats.Reason);
        generator.Settle();
        Assert.Equal(Prompt.Length + max, session.Position);
    }

    [Fact]
    public void Generate_InTwoRuns_EqualsOneRun()
    {
        string Text(params int[] runs)
        {
            using Session session = _tiny.Model.StartSession();
            SamplerChain chain = (TinyModel.Printable(5) with { RepeatPenalty = 1.5f, RepeatLastN = -1 }).Build();
            string text = "";
            TextGenerator? first = null;
            foreach (int run in runs)
            {
                var generator = new TextGenerator(session, chain, new GenerationOptions { MaxTokens = run });
                if (first is not null)
                {
                    generator.History.CopyFrom(first.History);
                    generator.Pending = first.Pending;
                }
                text += string.Concat(generator.Generate(first is null ? Prompt : default(ReadOnlyMemory<int>)));
                first = generator;
            }
            return text;
        }

        Assert.Equal(Text(30), Text(11, 19));
    }

    [Fact]
    public void Generate_EqualSeeds_GivesEqualTextAndOthersAnother()
    {
        string Text(uint seed)
        {
            using Session session = _tiny.Model.StartSession();
            return string.Concat(new TextGenerator(session, TinyModel.Printable(seed).Build(), new GenerationOptions { MaxTokens = 40 }).Generate(Prompt));
        }

        Assert.Equal(Text(1), Text(1));
        Assert.NotEqual(Text(1), Text(2));
    }

    [Fact]
    public void Generate_EndToken_IsNeitherShownNorFed()
    {
        using Session session = _tiny.Model.StartSession();
        var generator = new TextGenerator(session, TinyModel.Saying("bye"));
        Assert.Equal("bye", string.Concat(generator.Generate(Prompt)));
        Assert.Equal(StopReason.EndOfGeneration, generator.Stats.Reason);
        Assert.Equal(3, generator.Stats.GeneratedTokens);
        Assert.Equal(Prompt.Length + 3, session.Position);
    }

    [Fact]
    public void Generate_IgnoreEos_NeverPicksAnEnd()
    {
        using Session session = _tiny.Model.StartSession();
        var ends = new SamplingOptions { Seed = 1, Temperature = 1, TopK = 0, LogitBias = new Dictionary<int, float> { [TinyModel.Eos] = 50, [TinyModel.End] = 50 } };
        var picked = new List<int>();
        var generator = new TextGenerator(session, ends.Build(), new GenerationOptions { MaxTokens = 50, IgnoreEos = true, OnLogProbs = p => picked.Add(p.Token) });
        string.Concat(generator.Generate(Prompt));
        Assert.Equal(50, picked.Count);
        Assert.DoesNotContain(picked, _tiny.Model.Tokenizer.IsEndOfGeneration);
        Assert.Empty(new TextGenerator(session, ends.Build()).Generate(Prompt));
    }

    [Theory]
    [InlineData("one STOP two", "STOP", "one ")]
    [InlineData("aaab", "aab", "a")]
    [InlineData("no such", "suck", "no such")]
    [InlineData("tail ST", "STOP", "tail ST")]
    public void Generate_StopStringAcrossPieces_IsNeverShown(string said, string stop, string shown)
    {
        using Session session = _tiny.Model.StartSession();
        var generator = new TextGenerator(session, TinyModel.Saying(said), new GenerationOptions { Stop = [stop] });
        List<string> pieces = [.. generator.Generate(Prompt)];
        Assert.Equal(shown, string.Concat(pieces));
        Assert.DoesNotContain("", pieces);
        Assert.Equal(said.Contains(stop, StringComparison.Ordinal) ? StopReason.StopString : StopReason.EndOfGeneration, generator.Stats.Reason);
    }

    [Fact]
    public void Generate_BytesOfCharacters_GivesWholeCharacters()
    {
        const string Said = "é→😀!";
        using Session session = _tiny.Model.StartSession();
        Assert.Equal(["é", "→", "😀", "!"], new TextGenerator(session, TinyModel.Saying(Said)).Generate(Prompt));
    }

    [Fact]
    public void Generate_HalfACharacter_IsDroppedWhereCutAndReplacedWhereEnded()
    {
        using Session session = _tiny.Model.StartSession();
        Assert.Equal(["a"], new TextGenerator(session, TinyModel.Scripted('a', 0xE2, 0x86, 'b'), new GenerationOptions { MaxTokens = 3 }).Generate(Prompt));
        Assert.Equal(["a", "\uFFFD"], new TextGenerator(session, TinyModel.Scripted('a', 0xE2, 0x86)).Generate(Prompt));
    }

    [Fact]
    public void Generate_CancelledBetweenPieces_EndsWithoutAnotherTokenOrException()
    {
        using Session session = _tiny.Model.StartSession();
        using var cancel = new CancellationTokenSource();
        var generator = new TextGenerator(session, TinyModel.Printable(1).Build());
        int pieces = 0;
        foreach (string _ in generator.Generate(Prompt, cancel.Token))
            if (++pieces == 5) cancel.Cancel();
        Assert.Equal(5, pieces);
        Assert.Equal(5, generator.Stats.GeneratedTokens);
        Assert.Equal(StopReason.Cancelled, generator.Stats.Reason);
        Assert.Equal(Prompt.Length + 4, session.Position);
        Assert.Equal('x', Assert.Single(new TextGenerator(session, TinyModel.Saying("x")).Generate(Prompt))[0]);
    }

    [Fact]
    public async Task Generate_CancelledInsideAPrompt_LeavesTheStateAsItWas()
    {
        using Session session = _tiny.Model.StartSession();
        session.Feed([1, 2, 3]);
        byte[] before = session.Save().ToBytes();
        using var cancel = new CancellationTokenSource();
        var generator = new TextGenerator(session, TinyModel.Printable(1).Build());
        int[] prompt = new int[2_000_000];
        cancel.CancelAfter(30);
        Assert.Empty(await Collect(generator.GenerateAsync(prompt, cancel.Token)));
        Assert.Equal(StopReason.Cancelled, generator.Stats.Reason);
        Assert.Equal(0, generator.Stats.PromptTokens);
        Assert.Equal(before, session.Save().ToBytes());
        Assert.Equal(0, generator.History.Total);
    }

    [Fact]
    public void Generate_ReaderLeaves_IsCancelledAndCanGoOn()
    {
        using Session session = _tiny.Model.StartSession();
        var generator = new TextGenerator(session, TinyModel.Saying("abcdef"));
        Assert.Equal("a", generator.Generate(Prompt).First());
        Assert.Equal(StopReason.Cancelled, generator.Stats.Reason);
        Assert.Equal("bcdef", string.Concat(generator.Generate(default)));
        Assert.Equal(Prompt.Length + 6, session.Position);
    }

    [Fact]
    public async Task GenerateAsync_EqualSeed_EqualsGenerateAndComputesElsewhere()
    {
        using Session one = _tiny.Model.StartSession();
        using Session two = _tiny.Model.StartSession();
        var threads = new HashSet<int>();
        var options = new GenerationOptions { MaxTokens = 25, OnLogProbs = _ => threads.Add(Thread.CurrentThread.IsThreadPoolThread ? 1 : 0) };
        string text = await Collect(new TextGenerator(one, TinyModel.Printable(9).Build(), options).GenerateAsync(Prompt));
        Assert.Equal([1], threads);
        Assert.Equal(string.Concat(new TextGenerator(two, TinyModel.Printable(9).Build(), new GenerationOptions { MaxTokens = 25 }).Generate(Prompt)), text);
    }

    [Fact]
    public void OnLogProbs_EachToken_TellsTheModelsSoftmax()
    {
        using Session session = _tiny.Model.StartSession();
        using Session twin = _tiny.Model.StartSession();
        var told = new List<TokenLogProbs>();
        _ = string.Concat(new TextGenerator(session, TinyModel.Saying("ok"), new GenerationOptions { LogProbs = 3, OnLogProbs = told.Add }).Generate(Prompt));
        Assert.Equal(["o", "k"], told.Select(t => t.Text));
        float[] logits = twin.Feed(Prompt)[..261].ToArray();
        double sum = logits.Sum(l => Math.Exp(l));
        Assert.Equal(Math.Log(Math.Exp(logits['o']) / sum), told[0].LogProb, 1e-4);
        Assert.Equal(logits.Index().OrderByDescending(p => p.Item).Take(3).Select(p => p.Index), told[0].Top.Select(t => t.Token));
        Assert.Equal("o"u8.ToArray(), told[0].Bytes.ToArray());
    }

    [Fact]
    public void Generate_Misused_SaysSo()
    {
        using Session session = _tiny.Model.StartSession();
        var generator = new TextGenerator(session, TinyModel.Saying("abc"));
        Assert.Throws<ArgumentException>(() => generator.Generate(default));
        using IEnumerator<string> run = generator.Generate(Prompt).GetEnumerator();
        Assert.True(run.MoveNext());
        Assert.Throws<InvalidOperationException>(() => generator.Generate(Prompt).Count());
        Assert.True(run.MoveNext());
        Assert.Throws<ArgumentException>(() => new TextGenerator(session, TinyModel.Saying(""), new GenerationOptions { MaxTokens = -2 }));
        Assert.Throws<ArgumentException>(() => new TextGenerator(session, TinyModel.Saying(""), new GenerationOptions { Stop = [""] }));
    }

    [Fact]
    public void TokenHistory_ManyTokens_KeepsTheLastAndTakesBack()
    {
        var history = new TokenHistory();
        int[] block = new int[100_000];
        for (int i = 0; i < 40; i++)
        {
            Array.Fill(block, i);
            history.Append(block);
        }
        Assert.Equal(4_000_000, history.Total);
        Assert.InRange(history.Tokens.Length, TokenHistory.Window, 2 * TokenHistory.Window);
        Assert.Equal(39, history.Tokens[^1]);
        history.Truncate(3_850_000);
        Assert.Equal(38, history.Tokens[^1]);
        Assert.Equal(3_850_000, history.Total);
        history.Truncate(0);
        Assert.Equal(0, history.Tokens.Length);
    }

    [Fact]
    public void Encode_ModelThatBeginsTexts_AddsTheTokenOnce()
    {
        using var tiny = new TinyModel(change: m =>
        {
            m.Set("tokenizer.ggml.bos_token_id", (uint)TinyModel.Eos);
            m.Set("tokenizer.ggml.add_bos_token", true);
        });
        Assert.Equal([TinyModel.Eos, TinyModel.Hi], PromptTokens.Encode(tiny.Model, "hi", true, addBos: true));
        Assert.Equal([TinyModel.Eos, TinyModel.Hi], PromptTokens.Encode(tiny.Model, "<|endoftext|>hi", true, addBos: true));
        Assert.Equal([TinyModel.Hi], PromptTokens.Encode(tiny.Model, "hi", true, addBos: false));
        Assert.Equal([TinyModel.Hi], PromptTokens.Encode(_tiny.Model, "hi", true, addBos: true));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Generate_UnusedTokens_AreNeverPickedNorCandidates(float temperature)
    {
        // Among bytes, in the middle, at the end, and as converters of before 2024 marked them.
        int[] unused = [7, 100, 101, 102, 120, 256, 257];
        using var tiny = new TinyModel(change: m =>
        {
            int[] kinds = m.TryGetInt32s("tokenizer.ggml.token_type")!;
            string[] tokens = m.TryGetStrings("tokenizer.ggml.tokens")!;
            foreach (int token in unused) kinds[token] = 5;
            m.Set("tokenizer.ggml.tokens", (string[])[.. tokens, "[PAD261]", "[PAD999]", "[PAD263]"]);
            m.Set("tokenizer.ggml.token_type", (int[])[.. kinds, 4, 4, 5]);
        });
        Assert.Equal([.. unused, 261, 263], tiny.Model.Tokenizer.UnusedTokens.ToArray());
        var told = new List<TokenLogProbs>();
        using Session session = tiny.Model.StartSession();
        // Without the bans the unused tokens would be the likeliest by far, for every sampler.
        var bias = tiny.Model.Tokenizer.UnusedTokens.ToArray().ToDictionary(token => token, _ => 1e6f);
        SamplerChain chain = new SamplingOptions { Seed = 1, Temperature = temperature, TopK = 0, TopP = 1, MinP = 0, LogitBias = bias }.Build();
        var generator = new TextGenerator(session, chain, new GenerationOptions { MaxTokens = 300, IgnoreEos = true, LogProbs = 1000, OnLogProbs = told.Add });
        _ = string.Concat(generator.Generate(Prompt));
        Assert.Equal(300, told.Count);
        Assert.All(told, place =>
        {
            Assert.False(tiny.Model.Tokenizer.UnusedTokens.Contains(place.Token));
            Assert.Equal(264 - unused.Length - 2, place.Top.Count);
            Assert.Empty(place.Top.Select(top => top.Token).Intersect([.. unused, 261, 263]));
            Assert.Equal(1, place.Top.Sum(top => Math.Exp(top.LogProb)), 1e-5);
        });
        Assert.Equal(264, tiny.Model.Plan.VocabularySize);   // the rows are there, and 'logits' shows them
    }

    [Fact]
    public void FromMetadata_DefaultsOfTheFile_AreTaken()
    {
        var metadata = new GgufMetadata("m.gguf");
        Assert.Equal(new SamplingOptions(), SamplingOptions.FromMetadata(metadata));
        metadata.Set("general.sampling.temp", 0.25f);
        metadata.Set("general.sampling.top_k", 7);
        metadata.Set("general.sampling.top_p", 0.5f);
        Assert.Equal(new SamplingOptions { Temperature = 0.25f, TopK = 7, TopP = 0.5f }, SamplingOptions.FromMetadata(metadata));
    }

    private static async Task<string> Collect(IAsyncEnumerable<string> pieces)
    {
        var text = new StringBuilder();
        await foreach (string piece in pieces) text.Append(piece);
        return text.ToString();
    }
}
