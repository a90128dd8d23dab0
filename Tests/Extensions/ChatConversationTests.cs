using MambaRT.Extensions.AI;
using MambaRT.Serving;
using Microsoft.Extensions.AI;
using Xunit;
using Message = Microsoft.Extensions.AI.ChatMessage;

namespace MambaRT.Tests;

/// <summary>Conversations by their ids: what a client keeps of them is what would have been sent.</summary>
public sealed class ChatConversationTests : IDisposable
{
    private readonly TinyModel _tiny = new();
    private readonly ModelHost _host;

    public ChatConversationTests() => _host = new ModelHost(_tiny.Model, new ModelHostOptions { Deterministic = true });

    public void Dispose()
    {
        _host.Dispose();
        _tiny.Dispose();
    }

    [Fact]
    public async Task Request_WithAnId_GoesOnWithWhatWasSaid()
    {
        IChatClient client = Client();
        List<Message> all = [new(ChatRole.System, "Be brief.")];
        foreach (string said in (string[])["One", "Two", "Three"])
        {
            Message[] fresh = all.Count == 1 ? [all[0], new(ChatRole.User, said)] : [new(ChatRole.User, said)];
            all.Add(new Message(ChatRole.User, said));
            ChatResponse expected = await client.GetResponseAsync(all, Of(null));
            ChatResponse kept = await client.GetResponseAsync(fresh, Of("evening"));
            Assert.Equal(expected.Text, kept.Text);
            Assert.Equal(expected.Usage!.InputTokenCount, kept.Usage!.InputTokenCount);   // always told
            Assert.Equal("evening", kept.ConversationId);
            all.AddRange(expected.Messages);
        }
        ChatResponse other = await client.GetResponseAsync("Three", Of("morning"));
        Assert.True(other.Usage!.InputTokenCount < 30);
    }

    /// <summary>The states of earlier turns are the host's to keep: a conversation is cheap whether the client keeps its turns or the caller sends them.</summary>
    [Fact]
    public async Task Request_ThatGoesOn_FeedsWhatIsNewAlone()
    {
        using var host = new ModelHost(_tiny.Model);
        IChatClient client = host.AsChatClient(new MambaChatClientOptions { Sampling = TinyModel.Printable(5) });
        var question = new Message(ChatRole.User, new string('x', 300));
        UsageDetails first = (await client.GetResponseAsync(question, Of("evening"))).Usage!;   // always told
        UsageDetails second = (await client.GetResponseAsync("And?", Of("evening"))).Usage!;
        Assert.Equal(0, first.CachedInputTokenCount);
        Assert.InRange(second.InputTokenCount!.Value - second.CachedInputTokenCount!.Value, 1, 60);
        ChatResponse again = await client.GetResponseAsync([question, new(ChatRole.Assistant, "This."), new(ChatRole.User, "Why?")], Of(null));
        Assert.True(again.Usage!.CachedInputTokenCount > 250);
    }

    [Fact]
    public async Task Requests_OfOneIdAtOnce_TakeTurns()
    {
        IChatClient client = Client();
        ChatResponse[] answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => client.GetResponseAsync("Again", Of("one")))));
        long[] prompts = [.. answers.Select(answer => answer.Usage!.InputTokenCount!.Value).Order()];   // always told
        Assert.Equal(6, prompts.Distinct().Count());
        Assert.True(prompts[5] > 5 * prompts[0]);
    }

    [Fact]
    public async Task Request_ThatDoesNotEndInAnAnswer_ChangesNothing()
    {
        IChatClient client = Client();
        foreach (string id in (string[])["one", "undisturbed"]) await client.GetResponseAsync("One", Of(id));
        using (var cancel = new CancellationTokenSource())
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Two", Of("one"), cancel.Token)) await cancel.CancelAsync();
            });
        }
        await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Three", Of("one"))) break;
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync(new Message(ChatRole.User, [new DataContent(new byte[1], "image/png")]), Of("one")));
        ChatResponse expected = await client.GetResponseAsync("Four", Of("undisturbed")), found = await client.GetResponseAsync("Four", Of("one"));
        Assert.Equal(expected.Text, found.Text);
        Assert.Equal(expected.Usage!.InputTokenCount, found.Usage!.InputTokenCount);   // always told
    }

    [Fact]
    public async Task Conversations_BeyondTheirBudget_BeginAnewLeastRecentlyUsedFirst()
    {
        IChatClient client = Client(conversationBytes: 3000);   // three such conversations
        foreach (string id in (string[])["a", "b", "c"]) await client.GetResponseAsync(new string('x', 200), Of(id));
        long first = await Prompt("a");     // used again: b is the oldest
        await client.GetResponseAsync(new string('x', 200), Of("d"));
        Assert.True(await Prompt("a") > first);
        Assert.True(await Prompt("d") > 200);
        Assert.True(await Prompt("b") < 30);
        InvalidOperationException refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetResponseAsync(new string('x', 1500), Of("e")));
        Assert.Contains("ConversationBytes", refusal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync("x", Of("")));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync([new Message(default, "x")], Of("f")));

        async Task<long> Prompt(string id) => (await client.GetResponseAsync("y", Of(id))).Usage!.InputTokenCount!.Value;   // always told
    }

    [Fact]
    public async Task GetService_ConversationById_TellsWhatWasSaid()
    {
        IChatClient client = Client();
        Assert.Null(client.GetService<ChatConversation>("evening"));
        Assert.Null(client.GetService<ChatConversation>());
        ChatResponse first = await client.GetResponseAsync("One", Of("evening"));
        ChatConversation conversation = client.GetService<ChatConversation>("evening")!;   // it was begun
        ChatConversation? within = null;
        await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Two", Of("evening"))) within ??= client.GetService<ChatConversation>("evening");
        Assert.Equal("evening", conversation.Id);
        Assert.Equal([(ChatRole.User, "One"), (ChatRole.Assistant, first.Text)], conversation.Messages.Select(message => (message.Role, message.Text)));
        Assert.Equal(2, within!.Messages.Count);   // a piece was told
        Assert.Equal(4, client.GetService<ChatConversation>("evening")!.Messages.Count);   // it lives
        Assert.Null(client.GetService<ChatConversation>("morning"));
        Assert.Null(client.GetService(typeof(ChatConversation), 7));
        Assert.Null(client.GetService<Session>("evening"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task StartSession_FurtherMessages_IsWhereTheirAnswerBegins(bool keeps)
    {
        using var tiny = new TinyModel(options: keeps ? new ModelOptions() : new ModelOptions { Checkpoints = null });
        using var host = new ModelHost(tiny.Model);
        IChatClient client = host.AsChatClient(new MambaChatClientOptions { Sampling = TinyModel.Printable(5) });
        await client.GetResponseAsync(new string('x', 400), Of("one"));
        ChatConversation conversation = client.GetService<ChatConversation>("one")!;   // it was begun
        using Session session = await conversation.StartSessionAsync([new Message(ChatRole.User, "And?")]);
        int[] prompt = new ChatPrompts(tiny.Model).Encode([.. conversation.Messages.Append(new Message(ChatRole.User, "And?")).Select(m => new MambaRT.Chat.ChatMessage(m.Role.Value, m.Text))]);
        float[] expected = host.Use(model =>
        {
            using Session alone = model.StartSession();
            return alone.Feed([.. prompt, 'a']).ToArray();
        });
        Assert.Equal(prompt.Length, session.Position);
        Assert.Equal(expected, host.Use(_ => session.Feed(['a']).ToArray()));
        Assert.Equal(2, client.GetService<ChatConversation>("one")!.Messages.Count);   // it does not change
        await Assert.ThrowsAsync<ArgumentException>(() => conversation.StartSessionAsync([]));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => conversation.StartSessionAsync([new Message(ChatRole.User, "And?")], new CancellationToken(canceled: true)));
        Assert.Equal(0, host.Active);
    }

    [Fact]
    public async Task Delete_Conversation_BeginsAnewAndLeavesOthers()
    {
        IChatClient client = Client();
        foreach (string id in (string[])["a", "b"]) await client.GetResponseAsync(new string('x', 200), Of(id));
        ChatConversation conversation = client.GetService<ChatConversation>("a")!;   // it was begun
        Assert.True(await conversation.DeleteAsync());
        Assert.False(await conversation.DeleteAsync());
        Assert.Null(client.GetService<ChatConversation>("a"));
        Assert.Equal(2, conversation.Messages.Count);
        Assert.True((await client.GetResponseAsync("y", Of("a"))).Usage!.InputTokenCount < 30);   // always told
        Assert.True((await client.GetResponseAsync("y", Of("b"))).Usage!.InputTokenCount > 200);
        Assert.True(await conversation.DeleteAsync());   // of whoever began it
    }

    [Fact]
    public async Task Delete_WhileARequestIsIn_WaitsForIt()
    {
        IChatClient client = Client();
        await client.GetResponseAsync("One", Of("a"));
        ChatConversation conversation = client.GetService<ChatConversation>("a")!;   // it was begun
        Task<bool>? deleting = null;
        await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Two", Of("a")))
        {
            deleting ??= conversation.DeleteAsync();
            Assert.False(deleting.IsCompleted);
            using var cancel = new CancellationTokenSource(1);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => conversation.DeleteAsync(cancel.Token));
        }
        Assert.True(await deleting!);   // a piece was told
        Assert.Null(client.GetService<ChatConversation>("a"));
    }

    /// <summary>Its answer has made it too long: forgotten, it would begin anew without a word.</summary>
    [Fact]
    public async Task Request_BehindAnAnswerBeyondTheBudget_IsRefused()
    {
        IChatClient client = Client(conversationBytes: 600);
        string said = new('x', 60);
        long input = 0;
        InvalidOperationException? refusal = null;
        for (int turn = 0; turn < 20 && refusal is null; turn++)
            try
            {
                long now = (await client.GetResponseAsync(said, Of("long"))).Usage!.InputTokenCount!.Value;   // always told
                Assert.True(now > input);   // else it was forgotten
                input = now;
            }
            catch (InvalidOperationException e)
            {
                refusal = e;
            }
        Assert.Contains("ConversationBytes", refusal?.Message, StringComparison.Ordinal);
        Assert.NotNull(client.GetService<ChatConversation>("long"));
        await client.GetResponseAsync(said, Of("short"));
    }

    [Fact]
    public async Task StartSession_CancelledWhileOthersHaveTheModel_EndsAtOnce()
    {
        IChatClient client = Client();
        await client.GetResponseAsync("One", Of("a"));
        ChatConversation conversation = client.GetService<ChatConversation>("a")!;   // it was begun
        using var cancel = new CancellationTokenSource();
        Task<Session> starting;
        using (var held = new ManualResetEventSlim())
        {
            Task<int> holder = Task.Run(() => _host.Use(_ => { held.Wait(); return 0; }));
            starting = conversation.StartSessionAsync([new(ChatRole.User, "Two")], cancel.Token);
            await Task.Delay(300);   // in which it comes to where it waits
            Assert.False(starting.IsCompleted);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting.WaitAsync(TimeSpan.FromSeconds(30)));
            held.Set();
            await holder;
        }
        await client.GetResponseAsync("Two", Of("a"));
    }

    private static ChatOptions Of(string? id) => new() { ConversationId = id, MaxOutputTokens = 20 };

    private IChatClient Client(long conversationBytes = 1 << 20) =>
        _host.AsChatClient(new MambaChatClientOptions { Sampling = TinyModel.Printable(5), ConversationBytes = conversationBytes });
}
