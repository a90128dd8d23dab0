using MambaRT.Extensions.AI;
using MambaRT.Serving;
using Microsoft.Extensions.AI;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Conversations with an id beyond the program's end: gone on with, each its own whatever its id is, whole or dropped with a line, bounded, and shared.</summary>
public sealed class ConversationFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notes = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Request_AfterARestart_GoesOnWithWhatWasSaid()
    {
        string[] said = [new string('x', 300), "Two \uD83D\uDE42 \uD800", "Three"];   // the last unit of the second is no character
        string[] expected = new string[3], found = new string[3];
        long fed = 0;
        using (var opened = new Opened(this))
            for (int i = 0; i < 3; i++) expected[i] = (await opened.Ask("whole", said[i])).Text;
        for (int i = 0; i < 3; i++)
        {
            using var opened = new Opened(this);
            ChatResponse answer = await opened.Ask("cut", said[i]);
            UsageDetails usage = answer.Usage!;   // always told
            (found[i], fed) = (answer.Text, usage.InputTokenCount!.Value - usage.CachedInputTokenCount!.Value);
        }
        Assert.Equal(expected, found);
        Assert.InRange(fed, 1, 40);   // the states go on as well
        Assert.Empty(_notes);
    }

    [Fact]
    public async Task Request_IdsThatAreNoNames_EachHasItsOwn()
    {
        string[] ids = ["../../escape", "/etc/passwd", "a\0b", "CON", "x", "X", " ", "\uD800", "\uDC00", new string('i', 5000), "..", "*", "a\nb"];
        for (int i = 0; i < ids.Length; i++)
        {
            using var opened = new Opened(this);
            Assert.Equal(await Length(opened, "fresh " + ids[i], i), await Length(opened, ids[i], i));   // nobody else's is found
        }
        using var again = new Opened(this);
        for (int i = 0; i < ids.Length; i++) Assert.True(await Length(again, ids[i], 0) > 50 * (i + 1));
        Assert.Equal(2 * ids.Length, Files.Length);
        Assert.All(Files, file => Assert.Matches("^[0-9a-f]{32}-[0-9a-f]{64}\\.conversation$", Path.GetFileName(file)));
        Assert.Equal([_folder["kept"]], Directory.GetFileSystemEntries(_folder[""]));
        Assert.Empty(_notes);

        static async Task<long> Length(Opened opened, string id, int i) => (await opened.Ask(id, new string('y', 60 * i + 60))).Usage!.InputTokenCount!.Value;   // always told
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("emptied")]
    [InlineData("changed")]
    [InlineData("swapped")]
    [InlineData("huge")]
    [InlineData("lying")]
    public async Task Request_FileDamaged_DropsItWithALineAndBeginsAnew(string how)
    {
        using (var opened = new Opened(this))
            foreach (string id in (string[])["a", "b"]) await opened.Ask(id, new string(id[0], 200));
        byte[][] all = [.. Files.Select(File.ReadAllBytes)];
        for (int i = 0; i < 2; i++)
        {
            byte[] bytes = all[i];
            bytes[bytes.Length / 2] ^= how is "changed" ? (byte)1 : (byte)0;
            if (how is "lying")
            {
                BitConverter.TryWriteBytes(bytes.AsSpan(28), int.MaxValue);   // of the id, with a checksum that is right
                System.Security.Cryptography.SHA256.HashData(bytes.AsSpan(0, bytes.Length - 32), bytes.AsSpan(bytes.Length - 32));
            }
            File.WriteAllBytes(Files[i], how switch { "cut" => bytes[..^9], "emptied" => [], "swapped" => all[1 - i], "huge" => new byte[Opened.Budget + 1], _ => bytes });
        }
        using (var opened = new Opened(this))
            foreach (string id in (string[])["a", "b"]) Assert.InRange((await opened.Ask(id, "y")).Usage!.InputTokenCount!.Value, 1, 40);   // always told
        int dropped = how is "huge" ? 1 : 2;   // the second had to make room for the first
        Assert.Equal(dropped, _notes.Count);
        Assert.All(_notes, note => Assert.Matches("^A conversation was dropped: [^\n]+$", note));
        using (var opened = new Opened(this)) Assert.True((await opened.Ask("a", "y")).Usage!.InputTokenCount > 40);   // written anew
        Assert.Equal(dropped, _notes.Count);
    }

    [Fact]
    public async Task Conversations_BeyondTheirBudget_AreDeletedLeastRecentlyUsedFirst()
    {
        const long budget = 3000;
        for (int i = 0; i < 8; i++)
        {
            using var opened = new Opened(this, budget);
            await opened.Ask($"id {i}", new string('x', 200));
            Assert.InRange(Files.Sum(file => new FileInfo(file).Length), 1, budget);
        }
        Assert.InRange(Files.Length, 2, 5);
        using var last = new Opened(this, budget);
        Assert.True((await last.Ask("id 7", "y")).Usage!.InputTokenCount > 200);
        Assert.InRange((await last.Ask("id 0", "y")).Usage!.InputTokenCount!.Value, 1, 40);   // always told
        Assert.Empty(_notes);
    }

    [Fact]
    public async Task Request_TwoProgramsOnOneFolder_EachGoesOnWithTheOthers()
    {
        using Opened first = new(this), second = new(this), other = new(this, name: "another model");
        long length = 0;
        for (int turn = 0; turn < 4; turn++)
        {
            long now = (await (turn % 2 == 0 ? first : second).Ask("shared", new string('x', 50))).Usage!.InputTokenCount!.Value;   // always told
            Assert.True(now > length + 50);
            length = now;
        }
        Assert.InRange((await other.Ask("shared", "y")).Usage!.InputTokenCount!.Value, 1, 40);
        Assert.Empty(_notes);
    }

    [Fact]
    public async Task Delete_AfterARestart_LeavesNoFileAndNoTurn()
    {
        string[] before;
        using (var opened = new Opened(this))
        {
            await opened.Ask("kept", new string('z', 100));
            before = Files;
            await opened.Ask("../gone", new string('x', 100));
        }
        using (var opened = new Opened(this))
        {
            ChatConversation conversation = opened.Of("../gone")!;   // its file is there
            Assert.Equal(new string('x', 100), conversation.Messages[0].Text);
            Assert.True(await conversation.DeleteAsync());
            Assert.Null(opened.Of("../gone"));
            Assert.Equal(before, Files);
        }
        using var again = new Opened(this);
        Assert.Null(again.Of("../gone"));
        Assert.Equal(2, again.Of("kept")!.Messages.Count);   // its file is there
        Assert.InRange((await again.Ask("../gone", "y")).Usage!.InputTokenCount!.Value, 1, 40);   // always told
        Assert.Empty(_notes);
    }

    [Fact]
    public async Task GetService_FileOfAnotherProgram_IsReadWhenItIsNewer()
    {
        using Opened first = new(this), second = new(this);
        await first.Ask("shared", "One");
        await second.Ask("shared", "Two");
        Assert.Equal(["One", "Two"], first.Of("shared")!.Messages.Where(message => message.Role == ChatRole.User).Select(message => message.Text));   // it lives
        await File.WriteAllBytesAsync(Assert.Single(Files), [1, 2, 3]);
        Assert.Single(first.Of("shared")!.Messages, message => message.Role == ChatRole.User);   // what it knows by itself
        Assert.Single(_notes);
    }

    [Fact]
    public async Task Request_FolderGone_AnswersAndSaysSoOnce()
    {
        using var opened = new Opened(this);
        Directory.Delete(_folder["kept"], recursive: true);
        long length = 0;
        for (int turn = 0; turn < 3; turn++)
        {
            long now = (await opened.Ask("a", new string('x', 50))).Usage!.InputTokenCount!.Value;   // always told
            Assert.True(now > length + 50);
            length = now;
        }
        Assert.Single(_notes, note => note.StartsWith("No conversations are kept in", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Request_FolderBackAgain_KeepsAllThatWasSaid()
    {
        using (var opened = new Opened(this))
        {
            Directory.Delete(_folder["kept"], recursive: true);
            await opened.Ask("a", "One");
            Directory.CreateDirectory(_folder["kept"]);
            await opened.Ask("a", "Two");
        }
        using var again = new Opened(this);
        Assert.Equal(["One", "Two"], Said(again, "a"));
    }

    /// <summary>As another program has it while it puts it in its place: nothing may be answered, and written over it, as if nothing had been said.</summary>
    [Theory]
    [InlineData(200)]
    [InlineData(int.MaxValue)]
    public async Task Request_FileHeld_WaitsForItOrIsRefused(int milliseconds)
    {
        using (var opened = new Opened(this)) await opened.Ask("a", "One");
        using (var opened = new Opened(this))
        {
            var holder = new FileStream(Assert.Single(Files), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            Task<ChatResponse> request = opened.Ask("a", "Two");
            if (milliseconds < int.MaxValue) await Task.Delay(milliseconds);
            else Assert.Contains("'a' cannot be read", (await Assert.ThrowsAsync<IOException>(() => request)).Message, StringComparison.Ordinal);
            await holder.DisposeAsync();
            if (milliseconds < int.MaxValue) await request;
            else await opened.Ask("a", "Two");
        }
        using var again = new Opened(this);
        Assert.Equal(["One", "Two"], Said(again, "a"));
        Assert.Empty(_notes);
    }

    [Fact]
    public async Task Request_FileOfALaterVersion_IsRefusedAndLeavesIt()
    {
        using (var opened = new Opened(this)) await opened.Ask("a", "One");
        byte[] bytes = await File.ReadAllBytesAsync(Assert.Single(Files));
        bytes[8] = 2;
        System.Security.Cryptography.SHA256.HashData(bytes.AsSpan(0, bytes.Length - 32), bytes.AsSpan(bytes.Length - 32));
        await File.WriteAllBytesAsync(Files[0], bytes);
        using (var opened = new Opened(this))
        {
            Assert.Contains("version 2", (await Assert.ThrowsAsync<IOException>(() => opened.Ask("a", "Two"))).Message, StringComparison.Ordinal);
            Assert.Throws<IOException>(() => opened.Of("a"));
            await opened.Ask("b", "One");
        }
        Assert.Equal(2, Files.Length);
        Assert.Contains(Files, file => File.ReadAllBytes(file).AsSpan().SequenceEqual(bytes));
    }

    [Fact]
    public async Task Request_SomethingElseInAFilesPlace_ConcernsItsConversationAlone()
    {
        using (var opened = new Opened(this)) await opened.Ask("bad", "One");
        string place = Assert.Single(Files);
        File.Delete(place);
        Directory.CreateDirectory(place);
        using (var opened = new Opened(this))
            foreach (string id in (string[])["bad", "good", "bad", "good"]) await opened.Ask(id, "Two");
        using var again = new Opened(this);
        Assert.Equal(["Two", "Two"], Said(again, "good"));
        Assert.InRange(_notes.Count, 1, 2);
    }

    [Fact]
    public async Task Conversations_OfTwoPrograms_AreBoundedTogether()
    {
        const long budget = 4000;
        using Opened first = new(this, budget), second = new(this, budget);
        for (int i = 0; i < 12; i++)
        {
            await (i % 2 == 0 ? first : second).Ask($"id {i}", new string('x', 200));
            Assert.InRange(Files.Sum(file => new FileInfo(file).Length), 1, budget);
            await Task.Delay(20);   // times of folders move on every few milliseconds
        }
    }

    private static IEnumerable<string> Said(Opened opened, string id) => opened.Of(id)!.Messages.Where(message => message.Role == ChatRole.User).Select(message => message.Text);   // it was kept

    private string[] Files => [.. Directory.GetFiles(_folder["kept"], "*.conversation").Order()];

    private void Note(string line)
    {
        lock (_notes) _notes.Add(line);
    }

    private sealed class Opened : IDisposable
    {
        public const long Budget = 1 << 20;

        private readonly TinyModel _tiny;
        private readonly ModelHost _host;
        private readonly IChatClient _client;

        public Opened(ConversationFolderTests test, long budget = Budget, string? name = null)
        {
            var kept = new CheckpointOptions { Every = 16, Folder = test._folder["kept"], Note = test.Note };
            _tiny = new TinyModel(change: metadata => { if (name is not null) metadata.Set("general.name", name); }, options: new ModelOptions { Checkpoints = kept });
            _host = new ModelHost(_tiny.Model);
            _client = _host.AsChatClient(new MambaChatClientOptions { Sampling = TinyModel.Printable(5), ConversationBytes = budget });
        }

        public ChatConversation? Of(string id) => _client.GetService<ChatConversation>(id);

        public Task<ChatResponse> Ask(string id, string said) => _client.GetResponseAsync(said, new ChatOptions { ConversationId = id, MaxOutputTokens = 20 });

        public void Dispose()
        {
            _host.Dispose();
            _tiny.Dispose();
        }
    }
}
