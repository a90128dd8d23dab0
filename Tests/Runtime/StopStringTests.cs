using System.Text;
using Xunit;

namespace MambaRT.Tests;

public sealed class StopStringTests
{
    [Theory]
    [InlineData("hello<|end|>world", "<|end|>", "hello", true)]
    [InlineData("<|end|>", "<|end|>", "", true)]
    [InlineData("a<|en<|end|>", "<|end|>", "a<|en", true)]
    [InlineData("a<|end", "<|end|>", "a<|end", false)]
    [InlineData("aab", "aab", "", true)]
    [InlineData("aaaab", "aab", "aa", true)]
    [InlineData("ababac", "abac", "ab", true)]
    [InlineData("x\n\nUser: hi", "\nUser:/\n\n\n", "x\n", true)]
    [InlineData("zabcd", "abcd/bc", "za", true)]
    [InlineData("zabd", "abcd/b", "za", true)]
    [InlineData("zabc", "ab/abc", "z", true)]
    [InlineData("zabc", "abc/bc", "z", true)]
    [InlineData("zabc", "bc/abc", "z", true)]
    [InlineData("abxabcab", "abcd/cabx", "abxabcab", false)]
    [InlineData("é😀🙂", "🙂", "é😀", true)]
    [InlineData("", "a", "", false)]
    public void Push_AnyTwoCuts_GivesTheSameText(string text, string stops, string expected, bool stopped)
    {
        var matcher = new StopStrings(stops.Split('/'));
        for (var first = 0; first <= text.Length; first++)
        {
            for (var second = first; second <= text.Length; second++)
            {
                matcher.Reset();
                var output = new StringBuilder();
                matcher.Push(text.AsSpan(0, first), output);
                matcher.Push(text.AsSpan(first, second - first), output);
                Assert.Equal(stopped, matcher.Push(text.AsSpan(second), output));
                matcher.Flush(output);
                Assert.Equal(expected, output.ToString());
            }
        }
    }

    [Fact]
    public void Push_CharByChar_ReleasesAsSoonAsSafe()
    {
        var matcher = new StopStrings(["\n###", "\nUser"]);
        var output = new StringBuilder();
        Assert.False(matcher.Push("one\n#", output));
        Assert.Equal("one", output.ToString());
        Assert.Equal(2, matcher.Held);
        Assert.False(matcher.Push("\n", output));
        Assert.Equal("one\n#", output.ToString());
        Assert.False(matcher.Push("Us", output));
        Assert.False(matcher.Push("a", output));
        Assert.Equal("one\n#\nUsa", output.ToString());
        Assert.Equal(0, matcher.Held);
        Assert.True(matcher.Push("x\nUser: more", output));
        Assert.Equal("\nUser", matcher.Found);
        Assert.True(matcher.Push("again", output));
        matcher.Flush(output);
        Assert.Equal("one\n#\nUsax", output.ToString());
    }

    [Fact]
    public void Push_RandomTexts_AgreesWithASearchOfTheWholeText()
    {
        var rng = new Rng(5);
        for (var round = 0; round < 3000; round++)
        {
            string[] stops = [.. Enumerable.Range(0, 1 + (int)(rng.NextUInt32() % 3)).Select(_ => Word(rng, 1, 4))];
            var text = Word(rng, 0, 24);
            var (expected, found) = Whole(text, stops);
            var matcher = new StopStrings(stops);
            var output = new StringBuilder();
            for (var at = 0; at < text.Length;)
            {
                var length = Math.Min(text.Length - at, 1 + (int)(rng.NextUInt32() % 4));
                var done = matcher.Push(text.AsSpan(at, length), output);
                at += length;
                if (!done) Assert.Equal(text[..at], output + text[(at - matcher.Held)..at]);
            }

            matcher.Flush(output);
            Assert.Equal(expected, output.ToString());
            Assert.Equal(found, matcher.Found);
        }
    }

    [Fact]
    public void Push_NoStops_LetsEverythingThrough()
    {
        var output = new StringBuilder();
        Assert.False(new StopStrings([]).Push("anything", output));
        Assert.Equal("anything", output.ToString());
    }

    [Fact]
    public void Push_AfterTheFirst_AllocatesNothing()
    {
        var matcher = new StopStrings(["<|end|>", "User:"]);
        var output = new StringBuilder(100000);
        matcher.Push("warm <|en up", output);
        Assert.Equal(0, Allocation.OnThread(() =>
        {
            output.Clear();
            for (var i = 0; i < 1000; i++) matcher.Push("some <|en text Use", output);
        }));
    }

    [Fact]
    public void Constructor_EmptyStop_IsRefused() =>
        Assert.Contains("at least one character", Assert.Throws<ArgumentException>(() => new StopStrings(["a", ""])).Message);

    private static string Word(Rng rng, int least, int most)
    {
        var length = least + (int)(rng.NextUInt32() % (uint)(most - least + 1));
        return string.Concat(Enumerable.Range(0, length).Select(_ => (char)('a' + rng.NextUInt32() % 2)));
    }

    private static (string Text, string? Stop) Whole(string text, string[] stops)
    {
        for (var end = 1; end <= text.Length; end++)
        {
            var stop = stops.Where(s => text[..end].EndsWith(s, StringComparison.Ordinal)).MaxBy(s => s.Length);
            if (stop is not null) return (text[..(end - stop.Length)], stop);
        }

        return (text, null);
    }
}
