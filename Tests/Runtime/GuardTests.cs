using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What a program may do at the wrong time or with wrong arguments: it gets an exception, and what it holds stays usable.</summary>
public sealed class GuardTests
{
    public static TheoryData<string> Backends => TestBackends.All;

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Dispose_OfTheModelDuringRuns_EndsThemWithoutHarm(string backendName)
    {
        using TinyWeights weights = TinyModels.Make("mamba2-g3", QuantTypes.Q8_0);
        using IBackend backend = TestBackends.Create(backendName);
        int[] tokens = TinyModels.Tokens(2000);
        for (int i = 0; i < 12; i++)
        {
            Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { ChunkTokens = 64 });
            Session session = model.StartSession();
            using var begun = new ManualResetEventSlim();
            float kept = 0;
            Task<string> run = Task.Run(() =>
            {
                try
                {
                    while (true)
                    {
                        ReadOnlySpan<float> logits = session.Feed(i % 2 == 0 ? tokens : [1]);
                        begun.Set();
                        // A reader of logits is not stopped by the disposal.
                        for (int k = 0; k < 50; k++) kept += logits[k];
                    }
                }
                catch (ObjectDisposedException)
                {
                    return "disposed";
                }
            });
            Assert.True(begun.Wait(TimeSpan.FromSeconds(60)));
            Thread.Sleep(i);
            model.Dispose();
            Assert.Equal("disposed", await run);
            Assert.True(float.IsFinite(kept));
            session.Dispose();
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Dispose_OfTheModel_LeavesLogitsReadableAndRefusesTheRest(string backendName)
    {
        var run = new TinyRun(backendName, "mamba2-g3", QuantTypes.F32);
        Session session = run.Model.StartSession();
        foreach (int count in (int[])[1, 40])
        {
            ReadOnlySpan<float> logits = session.Feed(TinyModels.Tokens(count));
            float[] kept = logits.ToArray();
            if (count > 1) run.Dispose();
            Assert.Equal(kept, logits.ToArray());
        }
        Assert.Throws<ObjectDisposedException>(() => session.Feed([1]));
        Assert.Throws<ObjectDisposedException>(() => session.Pick([1], default));
        Assert.Throws<ObjectDisposedException>(session.Fork);
        session.Dispose();
    }

    [Fact]
    public async Task Dispose_OfTheModelWithinALongPrompt_DoesNotWaitForItsEnd()
    {
        using var backend = new HookedBackend();
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        Model model = Model.Open(weights.Metadata, weights.Weights, backend, new ModelOptions { ChunkTokens = 4 });
        using Session session = model.StartSession();
        Task? closing = null;
        int runs = 0;
        backend.BeforeRun = _ =>
        {
            if (++runs != 3) return;
            closing = Task.Run(model.Dispose);
            // The disposal has asked for the end when nobody new is let in.
            while (true)
            {
                try
                {
                    model.StartSession();
                }
                catch (ObjectDisposedException)
                {
                    break;
                }
                catch (InvalidOperationException)
                {
                }
            }
        };
        Assert.Throws<ObjectDisposedException>(() => session.Feed(TinyModels.Tokens(400)));
        await closing!;   // set in the third run
        Assert.True(runs <= 4, $"{runs} runs");
    }

    [Fact]
    public void Dispose_OfTheModelByItsOwnRun_IsRefused()
    {
        using var backend = new HookedBackend();
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend);
        using Session session = model.StartSession();
        backend.BeforeRun = _ => Assert.Throws<InvalidOperationException>(model.Dispose);
        session.Feed([1]);
        backend.BeforeRun = null;
        session.Feed([2]);
        Assert.Equal(2, session.Position);
    }

    [Fact]
    public void AnyCall_WhileAnotherThreadIsInside_IsRefusedAndHarmless()
    {
        using var backend = new HookedBackend();
        using TinyWeights weights = TinyModels.Make("mamba-tied", QuantTypes.F32);
        using Model model = Model.Open(weights.Metadata, weights.Weights, backend);
        using Session session = model.StartSession(), other = model.StartSession();
        StateSnapshot snapshot = other.Save();
        backend.BeforeRun = _ =>
        {
            backend.BeforeRun = null;
            foreach (Action call in new Action[]
            {
                () => model.StartSession(), () => other.Fork(), () => other.Save(), () => other.Restore(snapshot), other.Reset, () => other.CopyFrom(session),
                () => other.Feed([1]), () => other.FeedAll([1]), () => model.FeedBatch([other], [1]),
            }) Assert.Contains("one thread at a time", Assert.Throws<InvalidOperationException>(call).Message);
            other.Dispose();   // this is for any time
        };
        session.Feed([1]);
        Assert.Null(backend.BeforeRun);
        using Session next = model.StartSession();
        Assert.All(next.Save().State.ToArray(), b => Assert.Equal(0, b));
        Assert.Equal(1, session.Position);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    [InlineData(TinyModel.Shout + 1)]   // a row that only pads the embedding
    public async Task Say_SamplerLeavesATokenThatIsNone_IsRefusedAndTheChatGoesOn(int token)
    {
        using var tiny = new TinyModel();
        using var chat = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, new SamplerChain(1, new Forger(token)), new GenerationOptions { MaxTokens = 6 });
        await Assert.ThrowsAsync<ArgumentException>(() => All(chat.Say("hello")));
        Assert.NotNull(await All(chat.Say("again")));
        Assert.True(chat.Undo());
        Assert.NotNull(await All(chat.Say("once more")));
    }

    [Fact]
    public async Task Say_NextPieceBeforeTheLastIsThere_IsRefusedInWordsAndTheAnswerGoesOn()
    {
        using var tiny = new TinyModel();
        using var chat = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Printable(3).Build(), new GenerationOptions { MaxTokens = 20 });
        var generator = new TextGenerator(tiny.Model.StartSession(), TinyModel.Printable(3).Build(), new GenerationOptions { MaxTokens = 20 });
        foreach (IAsyncEnumerable<string> answer in new[] { chat.Say("hello"), generator.GenerateAsync(new[] { 5, 6, 7 }) })
        {
            await using IAsyncEnumerator<string> pieces = answer.GetAsyncEnumerator();
            for (bool goesOn = true; goesOn;)
            {
                Task<bool> first = pieces.MoveNextAsync().AsTask(), second = pieces.MoveNextAsync().AsTask();
                if (!first.IsCompleted || second.IsFaulted) await Record.ExceptionAsync(() => second);
                if (second.IsFaulted) Assert.IsType<InvalidOperationException>(second.Exception!.InnerException);   // faulted
                goesOn = await first && (second.IsFaulted || await second);
            }
        }
        Assert.NotNull(await All(chat.Say("and now")));
    }

    [Fact]
    public async Task Dispose_OfAChatAndItsModelDuringAnAnswer_EndsTheAnswer()
    {
        for (int i = 0; i < 10; i++)
        {
            var tiny = new TinyModel();
            var chat = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Printable(3).Build(), new GenerationOptions { MaxTokens = 100_000 });
            await using IAsyncEnumerator<string> pieces = chat.Say("hello").GetAsyncEnumerator();
            Assert.True(await pieces.MoveNextAsync());
            Task<bool> rest = Task.Run(async () =>
            {
                while (await pieces.MoveNextAsync())
                {
                }
                return true;
            });
            await Task.Delay(i);
            if (i % 2 == 0) chat.Dispose();
            tiny.Model.Dispose();
            if (i % 2 == 1) chat.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => rest);
            Assert.Throws<ObjectDisposedException>(() => chat.Undo());
            await Assert.ThrowsAsync<ObjectDisposedException>(() => All(chat.Say("more")));
            tiny.Dispose();
        }
    }

    [Fact]
    public void AnyCall_NullArgument_IsRefusedAndNothingChanges()
    {
        using var tiny = new TinyModel();
        using Session session = tiny.Model.StartSession();
        session.Feed([1]);
        // What a caller without nullable checks can do.
        Assert.Throws<ArgumentNullException>(() => session.Restore(null!));
        Assert.Throws<ArgumentNullException>(() => session.CopyFrom(null!));
        Assert.Throws<ArgumentException>(() => tiny.Model.FeedBatch([session, null!], [1, 2]));
        Assert.Throws<ArgumentNullException>(() => Model.Open((string)null!, tiny.Backend));
        Assert.Throws<ArgumentNullException>(() => Model.Open("x.gguf", null!));
        Assert.Throws<ArgumentNullException>(() => new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, null!));
        Assert.Throws<ArgumentException>(() => new TextGenerator(session, TinyModel.Scripted(1), new GenerationOptions { Stop = [null!] }));
        using var chat = new ChatSession(tiny.Model.StartSession(), ChatTemplate.ChatMl, TinyModel.Scripted(65));
        Assert.Throws<ArgumentNullException>(() => chat.Say(null!));
        Assert.Throws<ArgumentNullException>(() => chat.Save(null!));
        Assert.Throws<ArgumentNullException>(() => { chat.Load(null!); });
        Assert.Equal(1, session.Position);
        session.Feed([2]);
    }

    private static async Task<string> All(IAsyncEnumerable<string> pieces)
    {
        string text = "";
        await foreach (string piece in pieces) text += piece;
        return text;
    }

    /// <summary>At the third pick every candidate gets an id that is none.</summary>
    private sealed class Forger(int token) : ISampler
    {
        private int _picks;

        public void Apply(ref Candidates candidates)
        {
            if (++_picks == 3) candidates.Ids[..candidates.Count].Fill(token);
        }
    }
}
