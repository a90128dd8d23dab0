using System.Collections.Concurrent;
using MambaRT.Extensions.AI;
using MambaRT.Serving;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Xunit;
using Message = Microsoft.Extensions.AI.ChatMessage;

namespace MambaRT.Tests;

/// <summary>The middleware of Microsoft.Extensions.AI, and a container, over our client.</summary>
public sealed class ChatMiddlewareTests : IDisposable
{
    private readonly TinyModel _tiny = new();
    private readonly ModelHost _host;
    private readonly TemporaryFolder _folder = new();

    public ChatMiddlewareTests() => _host = new ModelHost(_tiny.Model);

    public void Dispose()
    {
        _host.Dispose();
        _tiny.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Caching_TheSameRequest_IsAnsweredOnce()
    {
        var cache = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));
        IChatClient client = Client().AsBuilder().UseDistributedCache(cache).Build();   // no seed: two answers would differ
        var options = new ChatOptions { MaxOutputTokens = 30 };
        string first = (await client.GetResponseAsync("Why?", options)).Text;
        Assert.Equal(first, (await client.GetResponseAsync("Why?", options)).Text);
        Assert.NotEqual(first, (await client.GetResponseAsync("Why not?", options)).Text);
        string streamed = await Streamed(client, "Why?", options);
        Assert.Equal(streamed, await Streamed(client, "Why?", options));
        Assert.Equal(30, streamed.Length);
    }

    [Fact]
    public async Task Logging_Requests_AreWrittenDown()
    {
        using var log = new ListingLogger();
        using ILoggerFactory factory = LoggerFactory.Create(builder => builder.AddProvider(log).SetMinimumLevel(LogLevel.Trace));
        IChatClient client = Client().AsBuilder().UseLogging(factory).Build();
        string text = (await client.GetResponseAsync("Why on earth?", new ChatOptions { MaxOutputTokens = 12 })).Text;
        Assert.Contains(log.Lines, line => line.Contains("Why on earth?", StringComparison.Ordinal));
        Assert.Contains(log.Lines, line => line.Contains("completed", StringComparison.Ordinal));
        Assert.Equal(12, text.Length);
    }

    [Fact]
    public async Task FunctionInvocation_ToolsThatAreNotCalled_LeaveTheAnswer()
    {
        int calls = 0;
        AIFunction weather = AIFunctionFactory.Create(() => ++calls, "weather");
        IChatClient client = Client(3).AsBuilder().UseFunctionInvocation().Build();
        var options = new ChatOptions { MaxOutputTokens = 30, Tools = [weather] };
        string plain = (await Client(3).GetResponseAsync("Why?", new ChatOptions { MaxOutputTokens = 30 })).Text;
        Assert.Equal(plain, (await client.GetResponseAsync("Why?", options)).Text);
        Assert.Equal(plain, await Streamed(client, "Why?", options));
        Assert.Equal(0, calls);
    }

    [Fact]
    public async Task FunctionInvocation_CallsReadOutOfTheText_AreMadeAndTold()
    {
        int calls = 0;
        AIFunction weather = AIFunctionFactory.Create(() => $"sunny {++calls}", "weather");
        IChatClient client = Client(3).AsBuilder().UseFunctionInvocation().Use(inner => new CallsOfText(inner)).Build();
        ChatResponse response = await client.GetResponseAsync("Why?", new ChatOptions { MaxOutputTokens = 30, Tools = [weather] });
        Assert.Equal(1, calls);
        Assert.Equal([ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant], response.Messages.Select(message => message.Role));
        Assert.Equal(30, response.Messages[^1].Text.Length);
    }

    [Fact]
    public async Task Conversation_ThroughAllMiddleware_IsKept()
    {
        using ILoggerFactory factory = LoggerFactory.Create(_ => { });
        IChatClient client = Client(3).AsBuilder().UseLogging(factory).UseFunctionInvocation().ConfigureOptions(options => options.MaxOutputTokens = 20).Build();
        ChatResponse first = await client.GetResponseAsync("One", new ChatOptions { ConversationId = "a" });
        ChatResponse second = await client.GetResponseAsync("Two", new ChatOptions { ConversationId = first.ConversationId });
        Assert.True(second.Usage!.InputTokenCount > first.Usage!.InputTokenCount + 20);   // always told
        Assert.True(second.Usage.CachedInputTokenCount >= first.Usage.InputTokenCount);   // up to where the first turn ended
        Assert.Same(_host, client.GetService<ModelHost>());
    }

    [Fact]
    public async Task AddMambaChatClient_Path_ServesItsModelOnce()
    {
        string path = _folder["tiny.gguf"];
        _tiny.Write(path);
        ServiceProvider services = new ServiceCollection()
            .AddMambaChatClient(path, options =>
            {
                options.Backend = "reference";
                options.Client = new MambaChatClientOptions { Sampling = TinyModel.Printable(3) };
            })
            .AddKeyedMambaChatClient("second", path, options => options.Backend = "reference")
            .AddKeyedMambaChatClient("missing", _folder["missing.gguf"])
            .BuildServiceProvider();
        ModelHost host = services.GetRequiredService<ModelHost>();
        IChatClient client = services.GetRequiredService<IChatClient>();
        Assert.Same(host, client.GetService<ModelHost>());
        Assert.Same(client, services.GetRequiredService<IChatClient>());
        Assert.NotSame(host, services.GetRequiredKeyedService<IChatClient>("second").GetService<ModelHost>());
        Assert.Equal("reference", services.GetRequiredService<Model>().BackendName);
        Assert.Throws<FileNotFoundException>(() => services.GetRequiredKeyedService<IChatClient>("missing"));
        Assert.Equal(15, (await client.GetResponseAsync("Why?", new ChatOptions { MaxOutputTokens = 15 })).Text.Length);
        await services.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => host.Start(new[] { 1 }, new SamplerChain(1)));
        Assert.Throws<ObjectDisposedException>(() => host.Model.StartSession());
    }

    private IChatClient Client(uint? seed = null) =>
        _host.AsChatClient(new MambaChatClientOptions { Sampling = TinyModel.Printable(1) with { Seed = seed } });

    private static async Task<string> Streamed(IChatClient client, string said, ChatOptions options)
    {
        string text = "";
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(said, options)) text += update.Text;
        return text;
    }

    /// <summary>What a program does whose model writes calls as text: here the first answer is one, and results are told as what a user says.</summary>
    private sealed class CallsOfText(IChatClient inner) : DelegatingChatClient(inner)
    {
        public override async Task<ChatResponse> GetResponseAsync(IEnumerable<Message> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            Message[] all = [.. messages];
            if (!all.Any(message => message.Role == ChatRole.Tool))
                return new ChatResponse(new Message(ChatRole.Assistant, [new FunctionCallContent("1", "weather")]));
            IEnumerable<Message> texts = all.Select(message => message.Contents.OfType<FunctionResultContent>().FirstOrDefault() is { } result ? new Message(ChatRole.User, $"{result.Result}")
                : message.Contents.OfType<FunctionCallContent>().Any() ? new Message(ChatRole.Assistant, "weather()") : message);
            return await base.GetResponseAsync(texts, options, cancellationToken);
        }
    }

    private sealed class ListingLogger : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
