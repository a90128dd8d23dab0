using System.Text;
using MambaRT.Serving;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Answers read into memory of the caller's: the same text, in whatever pieces fit.</summary>
public sealed class ReadIntoMemoryTests : IDisposable
{
    private readonly TinyModel _tiny = new();
    private readonly ModelHost _host;

    public ReadIntoMemoryTests() => _host = new ModelHost(_tiny.Model, new ModelHostOptions { Manual = true });

    public void Dispose()
    {
        _host.Dispose();
        _tiny.Dispose();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(100)]
    public void TryRead_PairsOfUnits_AreNeverDivided(int room)
    {
        const string Said = "a\U0001F600\U0001F601bc\U0001F602d";
        Generation generation = _host.Start(new[] { 1 }, TinyModel.Saying(Said));
        while (_host.Step()) { }
        var pieces = new List<string>();
        char[] memory = new char[room];
        for (int count; (count = generation.TryRead(memory)) >= 0;)
        {
            Assert.True(count > 0, "Some text was there, and none was given.");
            pieces.Add(new string(memory, 0, count));
        }
        Assert.Equal(Said, string.Concat(pieces));
        Assert.All(pieces, piece => Assert.Equal(piece, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(piece))));
        Assert.Throws<ArgumentException>(() => generation.TryRead(new char[1]));
    }

    /// <summary>A stop string may be half of a character: the other half is then all there is.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TryRead_EndWithinAPair_IsReached(bool intoMemory)
    {
        Generation generation = _host.Start(new[] { 1 }, TinyModel.Saying("a\U0001F600b"), new GenerationOptions { Stop = ["\uDE00"] });
        while (_host.Step()) { }
        char[] memory = new char[8];
        int reads = 0;
        while (intoMemory ? generation.TryRead(memory) >= 0 : generation.TryRead() is not null) Assert.InRange(++reads, 0, 3);
        Assert.Equal(StopReason.StopString, generation.Stats.Reason);
    }

    /// <summary>The pipe is full, and what was held back for it comes after the end.</summary>
    [Fact]
    public void TryRead_MoreThanThePipeHolds_GivesAllOfIt()
    {
        Generation asTexts = Filled(), intoMemory = Filled();
        while (_host.Step()) { }
        asTexts.Cancel();
        intoMemory.Cancel();
        _host.Step();
        string expected = "", found = "";
        while (asTexts.TryRead() is { } piece) expected += piece;
        char[] memory = new char[1000];
        for (int count; (count = intoMemory.TryRead(memory)) >= 0;) found += new string(memory, 0, count);
        Assert.Equal(expected, found);
        Assert.True(found.Length > 4000);

        Generation Filled() => _host.Start(new[] { 1 }, TinyModel.Printable(3).Build(), new GenerationOptions { IgnoreEos = true });
    }

    [Fact]
    public void TryRead_WhileItIsComputed_AllocatesNothing()
    {
        Generation generation = _host.Start(new[] { 1 }, TinyModel.Printable(3).Build(), new GenerationOptions { IgnoreEos = true });
        char[] memory = new char[64];
        for (int i = 0; i < 100; i++) Read();
        Assert.Equal(0, Allocation.OnThread(Read));

        void Read()
        {
            _host.Step();
            generation.TryRead(memory);
        }
    }
}
