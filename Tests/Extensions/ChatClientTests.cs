using MambaRT.Extensions.AI;
using MambaRT.Serving;
using Microsoft.Extensions.AI;
using Xunit;
using Message = Microsoft.Extensions.AI.ChatMessage;

namespace MambaRT.Tests;

/// <summary>A host as an IChatClient: what is asked for is what is done, for any number at once, and what cannot be promised is refused.</summary>
public sealed class ChatClientTests : IDisposable
{
    private static readonly ChatOptions Forty = new() { MaxOutputTokens = 40 };

    private readonly TinyModel _tiny = new();
    private readonly ModelHost _host;

    public ChatClientTests() => _host = new ModelHost(_tiny.Model, new ModelHostOptions { Deterministic = true });

    public void Dispose()
    {
        _host.Dispose();
        _tiny.Dispose();
    }

    [Fact]
    public async Task GetResponse_Question_IsTheAnswerOfItsTokens()
    {
        Message[] messages = [new(ChatRole.System, "Be brief."), new(ChatRole.User, "What?"), new(ChatRole.Assistant, "This."), new(ChatRole.User, "Why?")];
        int[] prompt = new ChatPrompts(_tiny.Model).Encode([.. messages.Select(m => new MambaRT.Chat.ChatMessage(m.Role.Value, m.Text))]);
        string expected = await Alone(prompt, TinyModel.Printable(3), 40);

        ChatResponse response = await Client(3).GetResponseAsync(messages, Forty);

        Assert.Equal(expected, response.Text);
        Message message = Assert.Single(response.Messages);
        Assert.Equal(ChatRole.Assistant, message.Role);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.Equal(_tiny.Model.Name, response.ModelId);
        Assert.Null(response.ConversationId);
        Assert.NotNull(response.ResponseId);
        UsageDetails usage = response.Usage!;   // always told
        Assert.Equal((prompt.Length, 40, prompt.Length + 40), (usage.InputTokenCount, usage.OutputTokenCount, usage.TotalTokenCount));
    }

    [Fact]
    public async Task GetStreamingResponse_Answer_ComesInPiecesOfOneMessage()
    {
        string whole = (await Client(3).GetResponseAsync("Why?", Forty)).Text;
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in Client(3).GetStreamingResponseAsync("Why?", Forty)) updates.Add(update);
        Assert.Equal(whole, string.Concat(updates.Select(update => update.Text)));
        Assert.Single(updates.Select(update => (update.ResponseId, update.MessageId, update.Role, update.CreatedAt)).Distinct());
        Assert.All(updates.SkipLast(1), update => Assert.True(update.FinishReason is null && update.Text.Length > 0));
        Assert.Equal(ChatFinishReason.Length, updates[^1].FinishReason);
        Assert.Equal(40, Assert.IsType<GenerationStats>(updates[^1].RawRepresentation).GeneratedTokens);
        Assert.True(updates.Count >= 2);   // how many depends on how fast they are read
    }

    [Fact]
    public async Task GetResponse_ManyAtOnce_EachIsItsLoneAnswer()
    {
        IChatClient client = Client(1);
        ChatOptions[] all = [.. Enumerable.Range(0, 48).Select(i => new ChatOptions { Seed = i, MaxOutputTokens = 5 + i })];
        var alone = new List<string>();
        foreach (ChatOptions options in all) alone.Add((await client.GetResponseAsync($"Question {options.Seed}", options)).Text);
        string[] together = await Task.WhenAll(all.Select(options => Task.Run(async () => (await client.GetResponseAsync($"Question {options.Seed}", options)).Text)));
        Assert.Equal(alone, together);
        Assert.Equal(all.Length, alone.Distinct().Count());
    }

    [Fact]
    public void Options_OfARequest_GoOverTheDefaults()
    {
        IChatClient client = Client(1);
        SamplingOptions defaults = TinyModel.Printable(1) with { MinP = 0.3f };
        var settings = new RequestSettings(defaults, 77);
        var asked = new ChatOptions { Temperature = 0.25f, TopP = 0.5f, TopK = 9, FrequencyPenalty = 0.125f, PresencePenalty = 1.5f, Seed = 12, MaxOutputTokens = 3, StopSequences = ["x", "y"] };
        Assert.Equal(defaults with { Temperature = 0.25f, TopP = 0.5f, TopK = 9, FrequencyPenalty = 0.125f, PresencePenalty = 1.5f, Seed = 12 }, settings.Sampling(asked, client));
        Assert.Equal(defaults, settings.Sampling(new ChatOptions(), client));
        var own = new SamplingOptions { RepeatPenalty = 1.25f, RepeatLastN = -1, Temperature = 2 };
        Assert.Equal(own with { Temperature = 0.5f }, settings.Sampling(new ChatOptions { RawRepresentationFactory = _ => own, Temperature = 0.5f }, client));
        Assert.Equal(defaults, settings.Sampling(new ChatOptions { RawRepresentationFactory = _ => "another provider's" }, client));
        Assert.Equal(3, settings.Limits(asked).MaxTokens);
        Assert.Equal(["x", "y"], settings.Limits(asked).Stop);
        Assert.Equal(77, settings.Limits(new ChatOptions()).MaxTokens);
        foreach (long seed in (long[])[0, 1, uint.MaxValue]) Assert.Equal((uint)seed, settings.Sampling(new ChatOptions { Seed = seed }, client).Seed);
        Assert.NotEqual(settings.Sampling(new ChatOptions { Seed = 1L << 40 }, client).Seed, settings.Sampling(new ChatOptions { Seed = 1L << 41 }, client).Seed);
    }

    [Theory]
    [InlineData(100, 0)]
    [InlineData(0, 100)]
    public async Task Penalties_Large_LetNoTokenComeTwice(float frequency, float presence)
    {
        IChatClient client = Client(new MambaChatClientOptions { Sampling = TinyModel.Printable(1) with { RepeatLastN = -1, Temperature = 0 } });
        string said = string.Concat(Enumerable.Repeat("abc", 100));   // long enough to be kept, and not to be fed for the second answer
        string plain = (await client.GetResponseAsync(said, Forty)).Text;
        Assert.True(plain.Distinct().Count() < plain.Length, plain);
        ChatResponse response = await client.GetResponseAsync(said, new ChatOptions { MaxOutputTokens = 40, FrequencyPenalty = frequency, PresencePenalty = presence });
        Assert.Equal(256, response.Usage!.CachedInputTokenCount);   // always told
        string text = response.Text;
        Assert.Equal(40, text.Distinct().Count());
        Assert.DoesNotContain(text, "userassistantabc".Contains);   // nor one of the prompt
    }

    [Fact]
    public async Task StopSequences_InTheAnswer_EndItBefore()
    {
        string whole = (await Client(3).GetResponseAsync("Why?", Forty)).Text;
        string stop = whole.Substring(20, 4);
        int at = whole.IndexOf(stop, StringComparison.Ordinal);
        ChatResponse response = await Client(3).GetResponseAsync("Why?", new ChatOptions { MaxOutputTokens = 40, StopSequences = [stop, "\n"] });
        Assert.Equal(whole[..at], response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public async Task Instructions_OfARequest_AreOfItsSystemText()
    {
        Message[] messages = [new(ChatRole.System, "Be kind."), new(ChatRole.User, "One"), new(ChatRole.User, "Two")];
        Message[] written = [new(ChatRole.System, "Be brief.\nBe kind."), new(ChatRole.User, "One\nTwo")];
        ChatResponse response = await Client(3).GetResponseAsync(messages, new ChatOptions { MaxOutputTokens = 40, Instructions = "Be brief." });
        ChatResponse expected = await Client(3).GetResponseAsync(written, Forty);
        Assert.Equal(expected.Text, response.Text);
        Assert.Equal(expected.Usage!.InputTokenCount, response.Usage!.InputTokenCount);   // always told
    }

    [Fact]
    public async Task Request_ThatDemandsWhatCannotBePromised_IsRefused()
    {
        (ChatOptions? Options, Message Message, string Named)[] requests =
        [
            (new ChatOptions { ResponseFormat = ChatResponseFormat.Json }, new(ChatRole.User, "x"), "ResponseFormat"),
            (new ChatOptions { ToolMode = ChatToolMode.RequireAny }, new(ChatRole.User, "x"), "ToolMode"),
            (null, new(ChatRole.User, [new DataContent(new byte[3], "image/png")]), "DataContent"),
            (null, new(ChatRole.Tool, [new FunctionResultContent("1", "sunny")]), "FunctionResultContent"),
        ];
        foreach ((ChatOptions? options, Message message, string named) in requests)
        {
            NotSupportedException refusal = await Assert.ThrowsAsync<NotSupportedException>(() => Client(1).GetResponseAsync([message], options));
            Assert.Contains(named, refusal.Message, StringComparison.Ordinal);
        }
        await Assert.ThrowsAsync<ArgumentException>(() => Client(1).GetResponseAsync(Array.Empty<Message>()));
        await Assert.ThrowsAsync<ArgumentException>(() => Client(1).GetResponseAsync("x", new ChatOptions { Temperature = -1 }));
        Assert.Throws<ArgumentException>(() => _host.AsChatClient(new MambaChatClientOptions { MaxOutputTokens = -2 }));
    }

    [Fact]
    public async Task Request_ThatOnlyAllows_IsAnsweredAsWithout()
    {
        string plain = (await Client(3).GetResponseAsync("Why?", Forty)).Text;
        var options = new ChatOptions
        {
            MaxOutputTokens = 40, ModelId = "another", ToolMode = ChatToolMode.Auto, Tools = [AIFunctionFactory.Create(() => "sunny", "weather")],
            ResponseFormat = ChatResponseFormat.Text, AllowMultipleToolCalls = true,
        };
        ChatResponse response = await Client(3).GetResponseAsync(new Message(ChatRole.User, [new TextContent("Why?"), new TextReasoningContent("hm"), new UsageContent(new UsageDetails())]), options);
        Assert.Equal(plain, response.Text);
        Assert.Equal(_tiny.Model.Name, response.ModelId);
    }

    [Fact]
    public async Task Cancel_WithinTheAnswer_EndsItAndFreesTheHost()
    {
        using var small = new TinyModel();
        using var host = new ModelHost(small.Model, new ModelHostOptions { MaxSequences = 1 });
        IChatClient client = host.AsChatClient(Options(3) with { MaxOutputTokens = -1 });
        using var cancel = new CancellationTokenSource();
        int pieces = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Why?", cancellationToken: cancel.Token))
                if (++pieces == 5) await cancel.CancelAsync();
        });
        await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Why?")) break;   // a reader that leaves
        Assert.Equal(40, (await client.GetResponseAsync("Why?", Forty).WaitAsync(TimeSpan.FromSeconds(30))).Usage!.OutputTokenCount);   // always told
    }

    [Fact]
    public async Task Host_DisposedWithinTheAnswer_EndsItByAnException()
    {
        using var host = new ModelHost(_tiny.Model);
        IChatClient client = host.AsChatClient(Options(3) with { MaxOutputTokens = -1 });
        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Why?")) host.Dispose();
        });
    }

    [Fact]
    public void GetService_HostAndModel_AreFound()
    {
        IChatClient client = Client(1);
        Assert.Same(_host, client.GetService<ModelHost>());
        Assert.Same(_tiny.Model, client.GetService<Model>());
        Assert.Same(client, client.GetService<IChatClient>());
        ChatClientMetadata metadata = client.GetService<ChatClientMetadata>()!;   // it has some
        Assert.Equal(("mambart", _tiny.Model.Name), (metadata.ProviderName, metadata.DefaultModelId));
        Assert.Null(client.GetService<string>());
        Assert.Null(client.GetService<Model>("key"));
    }

    private static MambaChatClientOptions Options(uint seed) => new() { Sampling = TinyModel.Printable(seed) };

    private IChatClient Client(uint seed) => Client(Options(seed));

    private IChatClient Client(MambaChatClientOptions options) => _host.AsChatClient(options);

    private async Task<string> Alone(int[] prompt, SamplingOptions sampling, int tokens)
    {
        string text = "";
        await foreach (string piece in _host.Start(prompt, sampling.Build(), new GenerationOptions { MaxTokens = tokens }).ReadAsync()) text += piece;
        return text;
    }
}
