using Xunit;

namespace MambaRT.Tests;

/// <summary>Conversations that are edited, undone, retried and forked at random end in the state of what they read, with kept states and without.</summary>
public sealed class ChatEditTests
{
    public static TheoryData<string> Ways => ["kept", "few", "off", "late"];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Edit_AtRandom_EndsInTheStateOfTheConversation(string way)
    {
        long slot;
        using (var probe = new TinyModel()) slot = probe.Model.Loaded.SlotBytes(0);
        using var device = way == "late" ? new LateBackend() : null;   // which works a step ahead
        using var tiny = new TinyModel(on: device, options: new ModelOptions
        {
            Checkpoints = way == "off" ? null : new CheckpointOptions { Every = 32 }, StateBudget = way == "few" ? 6 * slot : null,
        });
        var random = new Random(9);
        var chats = new List<ChatSession> { new(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Printable(4, withEnd: true).Build(), new GenerationOptions { MaxTokens = 40, Stop = ["e"] }, "Be brief.") };
        for (int act = 0; act < 60; act++)
        {
            ChatSession chat = chats[random.Next(chats.Count)];
            int turns = chat.Messages.Count / 2, fed = 0;
            switch (random.Next(6))
            {
                case 0 when turns > 0:
                    int turn = random.Next(turns);
                    string text = Said(random);
                    ChatMessage[] before = [.. chat.Messages.Take(1 + 2 * turn)];
                    await Collect(chat.Edit(turn, text));
                    Assert.Equal([.. before, new ChatMessage("user", text)], chat.Messages.SkipLast(1));
                    fed = chat.Stats.PromptTokens - text.Length;
                    break;
                case 1 when turns > 0:
                    await Collect(chat.Retry());
                    fed = chat.Stats.PromptTokens - chat.Messages[^2].Content.Length;
                    break;
                case 2 when turns > 0:
                    Assert.True(chat.Undo());
                    break;
                case 3 when turns > 0:
                    ChatMessage[] all = [.. chat.Messages];
                    await Collect(chat.Edit(random.Next(turns), "never", new CancellationToken(canceled: true)));
                    Assert.Equal(all, chat.Messages);
                    break;
                case 4 when chats.Count < 3:
                    chats.Add(chat.Fork());
                    break;
                default:
                    await Collect(chat.Say(Said(random)));
                    break;
            }
            if (way == "kept") Assert.True(fed <= 32 + 60, $"{fed} tokens fed");   // what the template writes about a turn, and an answer that was cut
            Assert.Equal(Expected(tiny.Model, chat.Messages), await Found(chat));
        }
        foreach (ChatSession chat in chats) chat.Dispose();
        Assert.InRange(tiny.Model.Loaded.Slots, 1, way == "few" ? 6 : way == "off" ? 5 : 1000);
    }

    /// <summary>Bytes that are no characters, and tokens that text would be cut into otherwise: what a conversation has read is told by its tokens, never by its text.</summary>
    [Fact]
    public async Task Edit_AnswersThatTextDoesNotTell_AreTheSameWithKeptStatesAndWithout()
    {
        long slot;
        using (var probe = new TinyModel()) slot = probe.Model.Loaded.SlotBytes(0);
        var expected = await Talk(new ModelOptions { Checkpoints = null });
        Assert.Contains(expected, answer => answer.Contains('\ufffd'));
        Assert.Equal(expected, await Talk(new ModelOptions { Checkpoints = new CheckpointOptions { Every = 16 } }));
        Assert.Equal(expected, await Talk(new ModelOptions { Checkpoints = new CheckpointOptions { Every = 16 }, StateBudget = 4 * slot }));
        Assert.Equal(expected, await Talk(new ModelOptions { Checkpoints = null }, reloads: true));   // also turns of before the chat was saved
        Assert.Equal(expected, await Talk(new ModelOptions { Checkpoints = new CheckpointOptions { Every = 16 } }, reloads: true));

        static async Task<List<string>> Talk(ModelOptions options, bool reloads = false)
        {
            using var folder = new TemporaryFolder();
            using var tiny = new TinyModel(options: options);
            using var chat = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, new SamplingOptions { Seed = 4, Temperature = 1.5f, TopK = 0, TopP = 1, MinP = 0 }.Build(), new GenerationOptions { MaxTokens = 9, IgnoreEos = true });
            var random = new Random(3);
            var answers = new List<string>();
            for (int act = 0; act < 40; act++)
            {
                if (reloads)
                {
                    chat.Save(folder["chat.state"]);
                    chat.Load(folder["chat.state"]);
                }
                int turns = chat.Messages.Count / 2;
                switch (random.Next(5))
                {
                    case 0 when turns > 0:
                        answers.Add(await Collect(chat.Edit(random.Next(turns), Said(random))));
                        break;
                    case 1 when turns > 0:
                        answers.Add(await Collect(chat.Retry()));
                        break;
                    case 2 when turns > 0:
                        chat.Undo();
                        break;
                    default:
                        answers.Add(await Collect(chat.Say(Said(random))));
                        break;
                }
            }
            return answers;
        }
    }

    [Fact]
    public async Task Edit_AnEarlierTurnOfALongConversation_FeedsLittle()
    {
        using var tiny = new TinyModel();
        using var chat = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Printable(4).Build(), new GenerationOptions { MaxTokens = 5 });
        for (int i = 0; i < 12; i++) await Collect(chat.Say(new string((char)('a' + i), 300)));
        await Collect(chat.Edit(6, "x"));
        Assert.InRange(chat.Stats.PromptTokens, 1, 30);
        Assert.True(chat.Stats.CachedTokens > 6 * 300);
        Assert.Equal(14, chat.Messages.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => chat.Edit(7, "y"));
    }

    [Fact]
    public async Task Say_AnotherChatThatBeganAlike_BeginsAtItsState()
    {
        using var tiny = new TinyModel();
        using var first = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Saying("yes"), system: new string('s', 600));
        using var second = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Saying("no"), system: new string('s', 600));
        await Collect(first.Say("one"));
        await Collect(second.Say("two"));
        Assert.Equal(512, second.Stats.CachedTokens);
        Assert.Equal(Expected(tiny.Model, second.Messages), await Found(second));
    }

    [Fact]
    public async Task Save_AfterGoingBackToAnEarlierState_SavesTheStateOfTheConversation()
    {
        using var folder = new TemporaryFolder();
        long slot;
        using (var probe = new TinyModel()) slot = probe.Model.Loaded.SlotBytes(0);
        using var tiny = new TinyModel(options: new ModelOptions { StateBudget = 5 * slot });
        using var chat = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Printable(4).Build(), new GenerationOptions { MaxTokens = 4 });
        for (int i = 0; i < 8; i++) await Collect(chat.Say($"turn {i}"));
        for (int i = 0; i < 6; i++) Assert.True(chat.Undo());
        chat.Save(folder["chat.state"]);
        using var loaded = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Printable(4).Build());
        loaded.Load(folder["chat.state"]);
        Assert.Equal(chat.Messages, loaded.Messages);
        Assert.Equal(Expected(tiny.Model, chat.Messages), await Found(loaded));
    }

    private static string Said(Random random) => string.Concat(Enumerable.Range(0, random.Next(1, 120)).Select(_ => (char)random.Next('a', 'z')));

    private static async Task<string> Collect(IAsyncEnumerable<string> pieces)
    {
        string text = "";
        await foreach (string piece in pieces) text += piece;
        return text;
    }

    /// <summary>The logits where the answer to one more turn would begin, from the whole conversation fed at once.</summary>
    private static float[] Expected(Model model, IReadOnlyList<ChatMessage> messages)
    {
        var encoder = new ChatEncoder(model.Tokenizer);
        using Session whole = model.StartSession();
        return whole.Feed(encoder.Encode(new ChatRenderer(ChatTemplate.ChatMl, model.Tokenizer, encoder).Render([.. messages, new ChatMessage("user", "next")]), []))[..model.Tokenizer.VocabularySize].ToArray();
    }

    private static async Task<float[]> Found(ChatSession chat)
    {
        float[] logits = [];
        using (ChatSession fork = chat.Fork(new SamplerChain(1, new Watch(found => logits = found))))
            await foreach (string _ in fork.Say("next")) break;
        return logits;
    }

    private sealed class Watch(Action<float[]> found) : ISampler
    {
        public void Apply(ref Candidates candidates)
        {
            found(candidates.Logits.ToArray());
            candidates.Keep('x', 1);
        }
    }
}
