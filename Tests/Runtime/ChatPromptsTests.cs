using Xunit;

namespace MambaRT.Tests;

public sealed class ChatPromptsTests : IDisposable
{
    private readonly TinyModel _tiny = new();

    public void Dispose() => _tiny.Dispose();

    /// <summary>As the first lines of a program have it, and what somebody typed.</summary>
    [Fact]
    public void Encode_TextAlone_TakesControlTokensAsText()
    {
        using var tiny = new TinyModel();
        int[] plain = tiny.Model.Tokenizer.Encode("<|im_start|>");
        Assert.Equal(12, plain.Length);
        Assert.Equal("<|im_start|>", string.Concat(plain.Select(token => (char)tiny.Model.Tokenizer.Decode(token)[0])));
        Assert.True(tiny.Model.Tokenizer.Decode(TinyModel.Start).IsEmpty);
        Assert.Equal([TinyModel.Start], tiny.Model.Tokenizer.Encode("<|im_start|>", parseSpecial: true));
    }

    [Fact]
    public async Task Encode_Conversation_IsWhatAChatFeeds()
    {
        using Session session = _tiny.Model.StartSession();
        using var chat = new ChatSession(session, ChatTemplate.ChatMl, TinyModel.Saying("Hello"), system: "Be brief.");
        await foreach (string _ in chat.Say("Hi <|im_end|> there")) { }
        int[] tokens = new ChatPrompts(_tiny.Model).Encode([.. chat.Messages.SkipLast(1)]);
        Assert.Equal(tokens.Length, chat.Stats.PromptTokens);
        Assert.Equal(TinyModel.Start, tokens[0]);
        Assert.Equal(2, tokens.Count(token => token == TinyModel.End));   // and none of what the user said
    }

    [Fact]
    public void Encode_LoneSurrogate_IsTheReplacementCharacter() =>
        Assert.Equal(Encode(new ChatMessage("user", "a\uFFFDb")), Encode(new ChatMessage("user", "a\uD800b")));

    [Fact]
    public void Encode_NothingToSay_IsRefused()
    {
        Assert.Throws<FormatException>(() => new ChatPrompts(_tiny.Model, ChatTemplate.Parse("")).Encode([]));
        Assert.Throws<ArgumentException>(() => Encode(new ChatMessage("user", null!)));   // callers without nullable checks
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => new ChatPrompts(_tiny.Model).Encode([new ChatMessage("user", new string('x', 100_000))], cancelled.Token));
    }

    private int[] Encode(params ChatMessage[] messages) => new ChatPrompts(_tiny.Model).Encode(messages);
}
