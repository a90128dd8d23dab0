using MambaRT.Bench;
using MambaRT.Cli;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What reaches a terminal.</summary>
public sealed class TerminalTests
{
    private const string Hostile = "a\u001b]0;x\u0007b\u009bc\r\nd\u202ee\u007f\tf";

    [Fact]
    public void Terminal_HostileText_CannotActOnIt()
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var terminal = new Terminal { In = TextReader.Null, Out = output, Error = error, OutIsTerminal = true };

        terminal.Note(Hostile);
        terminal.Error.WriteLine(Hostile);
        terminal.Out.WriteLine(Hostile);
        terminal.Stream(Hostile);
        Listing.Write(terminal, Hostile, [Hostile], [[Hostile]]);

        Assert.DoesNotContain(output.ToString() + error, c => c is not ('\n' or '\t') && Printable.IsActing(c));
        Assert.StartsWith("a\\u001b]0;x\\u0007b\\u009bc\\r\\nd\\u202ee\\u007f\\tf\n", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Stream_NoTerminal_IsUnchanged()
    {
        using var output = new StringWriter();
        new Terminal { In = TextReader.Null, Out = output, Error = TextWriter.Null }.Stream(Hostile);

        Assert.Equal(Hostile, output.ToString());
    }

    [Fact]
    public void Listing_OnATerminalWithoutStyle_IsPlain()
    {
        using var output = new StringWriter();
        Listing.Write(new Terminal { In = TextReader.Null, Out = output, Error = TextWriter.Null, OutIsTerminal = true }, "Title", ["a", "b"], [["1", "2"]]);

        Assert.DoesNotContain('\u2500', output.ToString());
        Assert.DoesNotContain('\u001b', output.ToString());
    }

    [Theory]
    [InlineData("the quick brown fox", "the quick\nbrown fox")]
    [InlineData("one  two\n  three four", "one  two\n  three\nfour")]
    [InlineData("abcdefghijklmnopqrstuvwxyz a", "abcdefghijklmnopqrstuvwxyz a")]
    [InlineData("\u65e5\u672c\u8a9e\u65e5\u672c\u8a9e\u65e5", "\u65e5\u672c\u8a9e\u65e5\u672c\n\u8a9e\u65e5")]
    public void WordWrap_AnyPieces_BreaksBetweenWords(string text, string expected)
    {
        for (int length = 1; length <= text.Length; length++)
        {
            var wrap = new WordWrap(() => 10);
            string shown = string.Concat(text.Chunk(length).Select(piece => wrap.Add(new string(piece)))) + wrap.End();
            Assert.Equal(expected, shown);
        }
    }

    [Fact]
    public void Reports_HostileNames_AreEscaped()
    {
        const string name = "<img src=x onerror=alert(1)>|`[a](b)\u001b[2J";

        string markdown = MarkdownReport.Plain(name), html = SvgPlot.Escape(name);

        Assert.Equal("\\<img src=x onerror=alert(1)>\\|\\`\\[a](b)\\\\u001b\\[2J", markdown);
        Assert.DoesNotContain('<', html);
        Assert.DoesNotContain('\u001b', html);
    }

    [Fact]
    public void Failure_LackOfMemoryAnywhere_IsNamedAsSuch()
    {
        foreach (Exception e in (Exception[])
        [
            new OutOfMemoryException(), new InvalidOperationException("A step failed.", new OutOfMemoryException()),
            new TaskSchedulerException(new OutOfMemoryException()), new IOException("Cannot allocate memory", 12),
        ])
            Assert.Equal(Failure.NoMemory, Failure.Sentence(e));
        Assert.Contains("ulimit -n", Failure.Sentence(new IOException("Too many open files", 24)), StringComparison.Ordinal);
    }
}
