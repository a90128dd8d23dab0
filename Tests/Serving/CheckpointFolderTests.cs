using MambaRT.Formats;
using MambaRT.Serving;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Kept states in a folder: they outlive the program, are whole or dropped with a line, bound to their model, and shared.</summary>
public sealed class CheckpointFolderTests : IDisposable
{
    private const int Every = 16;

    private static readonly int[] Prompt = [.. Enumerable.Range(0, 100).Select(i => 32 + i * 7 % 90)];

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notes = [];
    private bool _noteFails;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Start_AfterARestart_BeginsAtAKeptState()
    {
        (string first, GenerationStats fed) = Ask();
        (string second, GenerationStats again) = Ask();
        Assert.Equal(first, second);
        Assert.Equal((100, 0, 4, 96), (fed.PromptTokens, fed.CachedTokens, again.PromptTokens, again.CachedTokens));
        Assert.Equal(7, Files.Length);   // at 16, 32, ..., 96 and at the turn's end
        Assert.Empty(_notes);
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("emptied")]
    [InlineData("changed")]
    [InlineData("swapped")]
    public void Start_FilesDamaged_DropsThemWithALineAndGivesTheSame(string how)
    {
        (string first, _) = Ask();
        string[] files = Files;
        byte[] other = File.ReadAllBytes(files[0]);
        foreach (string file in files)
        {
            byte[] bytes = File.ReadAllBytes(file);
            bytes[bytes.Length / 2] ^= 1;
            File.WriteAllBytes(file, how switch { "cut" => bytes[..^9], "emptied" => [], "changed" => bytes, _ => other });
        }
        (string second, GenerationStats stats) = Ask();
        Assert.Equal(first, second);
        Assert.Equal(0, stats.CachedTokens);
        Assert.Equal(6, _notes.Count);   // the turn's end is not looked at
        Assert.All(_notes, note => Assert.DoesNotContain('\n', note));
        Assert.Equal(96, Ask().Stats.CachedTokens);   // written anew
        Assert.Equal(6, _notes.Count);
    }

    [Fact]
    public void Start_AnotherModelOrBackend_ReadsNoneOfThem()
    {
        Ask();
        Assert.Equal(0, Ask(change: metadata => metadata.Set("general.name", "other")).Stats.CachedTokens);
        using IBackend cpu = TestBackends.Create("cpu");
        Assert.Equal(0, Ask(on: cpu).Stats.CachedTokens);
        Assert.Equal(96, Ask().Stats.CachedTokens);
        Assert.Empty(_notes);
    }

    [Fact]
    public void Start_MoreThanTheBudget_LetsTheLeastRecentlyUsefulGo()
    {
        long slot;
        using (var probe = new TinyModel()) slot = probe.Model.StateBytes;
        for (int i = 0; i < 5; i++)
        {
            int[] prompt = [.. Prompt.Select(token => 32 + (token + i) % 90)];
            Ask(prompt, budget: 8 * (slot + 600));
            Assert.InRange(Files.Sum(file => new FileInfo(file).Length), 1, 8 * (slot + 600));
        }
        Assert.Equal(0, Ask(budget: 8 * (slot + 600)).Stats.CachedTokens);
        Assert.Empty(_notes);
    }

    [Fact]
    public async Task Start_TwoHostsOnOneFolder_ShareIt()
    {
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Ask().Answer)));
        Assert.All(answers, answer => Assert.Equal(answers[0], answer));
        Assert.Empty(_notes);

        using var first = new Opened(this);
        using var second = new Opened(this);
        int[] prompt = [.. Prompt.Reverse()];
        Assert.Equal(0, second.Ask([1, 2]).Stats.CachedTokens);   // it has looked into the folder
        Assert.Equal(0, first.Ask(prompt).Stats.CachedTokens);
        Assert.Equal(96, second.Ask(prompt).Stats.CachedTokens);
    }

    /// <summary>A file has its name a moment before its writer lets it go.</summary>
    [Fact]
    public void Start_FilesHeldByAnotherProgram_GoesOnAndFindsThemLater()
    {
        (string first, _) = Ask();
        FileStream[] held = [.. Files.Select(file => new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None))];
        (string second, GenerationStats stats) = Ask();
        Assert.Equal((first, 0), (second, stats.CachedTokens));
        foreach (FileStream file in held) file.Dispose();
        Assert.Empty(_notes);
        Assert.Equal(96, Ask().Stats.CachedTokens);
    }

    [Fact]
    public void Open_FolderIsAFile_IsRefusedAndLeavesTheModelClosed()
    {
        File.WriteAllText(_folder["kept"], "a file");
        Assert.EndsWith("Choose another.", Assert.Throws<IOException>(() => Ask()).Message);
    }

    [Fact]
    public void Start_FolderGone_SaysSoOnceAndGoesOn()
    {
        using var opened = new Opened(this);
        Directory.Delete(_folder["kept"]);
        (string first, _) = opened.Ask(Prompt);
        Assert.Single(_notes);
        Assert.Equal((first, 96), (opened.Ask(Prompt).Answer, opened.Ask(Prompt).Stats.CachedTokens));   // from memory
        Assert.Single(_notes);
    }

    [Fact]
    public void Start_FileOfAnyLength_IsDroppedUnread()
    {
        (string first, _) = Ask();
        string longest = Files.MaxBy(file => file.Contains("-96-", StringComparison.Ordinal))!;   // there are some
        using (FileStream stream = File.OpenWrite(longest)) stream.SetLength(400L << 20);   // a hole
        long before = GC.GetAllocatedBytesForCurrentThread();
        (string second, GenerationStats stats) = Ask();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100L << 20);
        Assert.Equal((first, 80), (second, stats.CachedTokens));
        Assert.Single(_notes);
    }

    /// <summary>As in a folder that is read-only: root, who may run this, may write everywhere.</summary>
    [Fact]
    public void Touch_NotPermitted_FailsNothing()
    {
        var folder = new BoundedFolder(_folder["kept"], ".checkpoint", 1000, "states", Note);
        folder.Touch("gone.checkpoint");
        Assert.False(folder.HasFailed);
        Assert.Empty(_notes);
    }

    /// <summary>On the host's own thread too, where nobody could catch it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Start_WhoIsToldFails_GoesOn(bool damaged)
    {
        (string first, _) = Ask();
        foreach (string file in Files) File.WriteAllBytes(file, damaged ? [1, 2, 3] : []);
        if (!damaged) Directory.Delete(_folder["kept"], recursive: true);
        _noteFails = true;
        var kept = new CheckpointOptions { Every = Every, Folder = _folder["kept"], Note = Note };
        using var tiny = new TinyModel(options: new ModelOptions { Checkpoints = kept });
        using var host = new ModelHost(tiny.Model);
        if (!damaged) Directory.Delete(_folder["kept"]);
        for (int i = 0; i < 2; i++)
        {
            string answer = "";
            await foreach (string piece in host.Start(Prompt, TinyModel.Printable(3).Build(), new GenerationOptions { MaxTokens = 7 }).ReadAsync()) answer += piece;
            Assert.Equal(first, answer);
        }
        Assert.NotEmpty(_notes);
    }

    private string[] Files => [.. Directory.GetFiles(_folder["kept"], "*.checkpoint").Order()];

    private (string Answer, GenerationStats Stats) Ask(int[]? prompt = null, long? budget = null, Action<GgufMetadata>? change = null, IBackend? on = null)
    {
        using var opened = new Opened(this, budget, change, on);
        return opened.Ask(prompt ?? Prompt);
    }

    private void Note(string line)
    {
        lock (_notes) _notes.Add(line);
        if (_noteFails) throw new InvalidDataException("who is told fails");
    }

    private sealed class Opened : IDisposable
    {
        private readonly TinyModel _tiny;
        private readonly ModelHost _host;

        public Opened(CheckpointFolderTests test, long? budget = null, Action<GgufMetadata>? change = null, IBackend? on = null)
        {
            var kept = new CheckpointOptions { Every = Every, Folder = test._folder["kept"], Note = test.Note };
            _tiny = new TinyModel(change: change, on: on, options: new ModelOptions { Checkpoints = kept, StateBudget = budget });
            _host = new ModelHost(_tiny.Model, new ModelHostOptions { Manual = true });
        }

        public (string Answer, GenerationStats Stats) Ask(int[] prompt)
        {
            Generation generation = _host.Start(prompt, TinyModel.Printable(3).Build(), new GenerationOptions { MaxTokens = 7 });
            while (_host.Step()) { }
            return (generation.TryRead() ?? "", generation.Stats);
        }

        public void Dispose()
        {
            _host.Dispose();
            _tiny.Dispose();
        }
    }
}
