using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.AI;
using Message = Microsoft.Extensions.AI.ChatMessage;
using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>A chat client of a host: writes prompts, starts generations, and tells what they say. What is said of it stands at <see cref="ModelHostExtensions.AsChatClient"/>.</summary>
internal sealed class HostChatClient(ModelHost host, MambaChatClientOptions defaults) : IChatClient
{
    private readonly ChatPrompts _prompts = new(host.Model, defaults.Template);
    private readonly Conversations _conversations = new(defaults.ConversationBytes, FolderOf(host, defaults.ConversationBytes));
    private readonly ChatClientMetadata _metadata = new("mambart", defaultModelId: host.Model.Name);
    private readonly RequestSettings _settings = new(defaults.Sampling ?? SamplingOptions.FromMetadata(host.Model.Metadata), defaults.MaxOutputTokens);

    public Task<ChatResponse> GetResponseAsync(IEnumerable<Message> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<Message> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Answer(messages, options ?? new ChatOptions(), cancellationToken);
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is string id && serviceType == typeof(ChatConversation)) return _conversations.Find(id) is { } turns ? new ChatConversation(this, id, turns) : null;
        if (serviceKey is not null) return null;
        foreach (object service in (object[])[this, host, host.Model, _metadata])
            if (serviceType.IsInstanceOfType(service)) return service;
        return null;
    }

    /// <summary>See <see cref="ChatConversation.DeleteAsync"/>.</summary>
    public Task<bool> DeleteAsync(string id, CancellationToken cancel) => _conversations.DeleteAsync(id, cancel);

    /// <summary>See <see cref="ChatConversation.StartSessionAsync"/>.</summary>
    public async Task<Session> StartSessionAsync(IReadOnlyList<Turn> before, IReadOnlyList<Turn> said, CancellationToken cancel)
    {
        int[] prompt = await Task.Run(() => _prompts.Encode(MessageTexts.Prompt(null, before, said), cancel), cancel).ConfigureAwait(false);
        if (host.Model.Options.Checkpoints is not null)   // else nothing is kept of what it feeds
        {
            Generation reading = host.Start(prompt, new SamplerChain(1), new GenerationOptions { MaxTokens = 0 }, cancel);
            await reading.Completion.WaitAsync(cancel).ConfigureAwait(false);
            if (reading.Stats.Reason == StopReason.Cancelled) throw new ObjectDisposedException(nameof(ModelHost), "The host was disposed while it read the messages.");
        }
        Task<Session> starting = Task.Run(() => host.Use(model => model.StartSession(prompt, cancel)), cancel);
        try
        {
            return await starting.WaitAsync(cancel).ConfigureAwait(false);   // also while others use the model
        }
        catch (OperationCanceledException)
        {
            _ = starting.ContinueWith(late => host.Use(_ => { late.Result.Dispose(); return 0; }), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            throw;
        }
    }

    /// <summary>The host is its owner's.</summary>
    public void Dispose()
    {
    }

    private async IAsyncEnumerable<ChatResponseUpdate> Answer(IEnumerable<Message> messages, ChatOptions options, [EnumeratorCancellation] CancellationToken cancel)
    {
        RequestSettings.RefuseWhatCannotBePromised(options);
        List<Turn> said = MessageTexts.Of(messages);
        SamplerChain sampler = _settings.Sampling(options, this).Build();
        GenerationOptions limits = _settings.Limits(options);
        using ConversationUse? conversation = options.ConversationId is { } id ? await _conversations.EnterAsync(id, said, cancel).ConfigureAwait(false) : null;
        int[] prompt = await Task.Run(() => _prompts.Encode(MessageTexts.Prompt(options.Instructions, conversation?.Turns ?? [], said), cancel), cancel).ConfigureAwait(false);
        Generation generation = host.Start(prompt, sampler, limits, cancel);
        string response = Guid.NewGuid().ToString("N");
        DateTimeOffset now = DateTimeOffset.UtcNow;
        var answer = new StringBuilder();
        await foreach (string piece in generation.ReadAsync(cancel).ConfigureAwait(false))
        {
            if (conversation is not null) answer.Append(piece);
            yield return Update(new TextContent(piece));
            cancel.ThrowIfCancellationRequested();   // all of it may be computed before the reader cancels
        }
        GenerationStats stats = generation.Stats;
        cancel.ThrowIfCancellationRequested();
        if (stats.Reason == StopReason.Cancelled) throw new ObjectDisposedException(nameof(ModelHost), "The host was disposed while it answered.");
        conversation?.Keep(said, answer.ToString());
        ChatResponseUpdate last = Update(new UsageContent(UsageOf(stats)));
        last.FinishReason = stats.Reason == StopReason.MaxTokens ? ChatFinishReason.Length : ChatFinishReason.Stop;
        last.ConversationId = options.ConversationId;
        last.RawRepresentation = stats;
        yield return last;

        ChatResponseUpdate Update(AIContent content) => new(ChatRole.Assistant, [content])
        {
            ResponseId = response, MessageId = response, ModelId = host.Model.Name, CreatedAt = now,
        };
    }

    private static ConversationFolder? FolderOf(ModelHost host, long bytes) => host.Model.Options.Checkpoints is { Folder: { } path, Note: var note }
        ? new ConversationFolder(path, host.Use(static model => model.Fingerprint), bytes, note) : null;

    private static UsageDetails UsageOf(GenerationStats stats)
    {
        long input = (long)stats.PromptTokens + stats.CachedTokens;
        return new UsageDetails
        {
            InputTokenCount = input, CachedInputTokenCount = stats.CachedTokens, OutputTokenCount = stats.GeneratedTokens, TotalTokenCount = input + stats.GeneratedTokens,
        };
    }
}
