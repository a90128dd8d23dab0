using MambaRT.Cli;
using Xunit;

namespace MambaRT.Tests;

public sealed class LineEditorTests
{
    [Fact]
    public void ReadLine_TypedText_IsReturned() => Assert.Equal("hello", Read(new Keys().Type("hello").Enter()));

    [Fact]
    public void ReadLine_EditedInTheMiddle_IsReturnedAsEdited() =>
        Assert.Equal("heXlo!", Read(new Keys().Type("hello").Press(ConsoleKey.LeftArrow, 2).Press(ConsoleKey.Backspace).Type("X").Press(ConsoleKey.End).Type("!").Enter()));

    [Fact]
    public void ReadLine_BackspaceOverAPicture_RemovesAllOfIt() =>
        Assert.Equal("a", Read(new Keys().Type("a\U0001F600").Press(ConsoleKey.Backspace).Enter()));

    [Fact]
    public void ReadLine_ControlKeys_DeleteWordsAndEnds() =>
        Assert.Equal("one two", Read(new Keys().Type("zero one three").Control(ConsoleKey.W).Type("two four").Control(ConsoleKey.A)
            .Press(ConsoleKey.Delete, 5).Control(ConsoleKey.E).Press(ConsoleKey.LeftArrow, 5).Control(ConsoleKey.K).Enter()));

    [Fact]
    public void ReadLine_PastedLines_BecomeOneText() => Assert.Equal("one\ntwo", Read(new Keys().Paste("one\ntwo").Enter()));

    [Fact]
    public void ReadLine_ControlDOnAnEmptyLine_IsTheEnd() => Assert.Null(Read(new Keys().Control(ConsoleKey.D)));

    [Fact]
    public void ReadLine_ControlC_GivesAnEmptyLine() => Assert.Equal("", Read(new Keys().Type("never mind").Control(ConsoleKey.C)));

    [Fact]
    public void ReadLine_UpAndDown_WalkThroughHistoryAndBackToTheDraft()
    {
        var keys = new Keys().Type("first").Enter().Type("second").Enter()
            .Type("draft").Press(ConsoleKey.UpArrow, 2).Enter()
            .Type("draft").Press(ConsoleKey.UpArrow, 2).Press(ConsoleKey.DownArrow, 5).Enter();
        var editor = new LineEditor(keys, TextWriter.Null, () => 80);

        Assert.Equal(["first", "second", "first", "draft"], Enumerable.Range(0, 4).Select(_ => editor.ReadLine("> ")));
    }

    [Fact]
    public void Draw_LongLine_BreaksRowsItself()
    {
        using var screen = new StringWriter();
        new LineView(screen, "> ", () => 10).Draw("abcdefghijkl", 12);

        Assert.Equal("\r\u001b[J> abcdefg\r\nhijkl\r\u001b[5C", screen.ToString());
    }

    private static string? Read(Keys keys) => new LineEditor(keys, TextWriter.Null, () => 20).ReadLine("> ");

    /// <summary>A script of keys.</summary>
    private sealed class Keys : IKeySource
    {
        private readonly Queue<(ConsoleKeyInfo Key, bool More)> _keys = new();
        private bool _more;

        public bool IsReady => _more;

        public ConsoleKeyInfo Read()
        {
            (ConsoleKeyInfo key, _more) = _keys.Dequeue();
            return key;
        }

        public Keys Type(string text) => Add(text, more: false);

        public Keys Paste(string text) => Add(text, more: true);

        public Keys Enter() => Press(ConsoleKey.Enter, 1, '\r');

        public Keys Press(ConsoleKey key, int times = 1, char c = '\0')
        {
            for (int i = 0; i < times; i++) _keys.Enqueue((new ConsoleKeyInfo(c, key, shift: false, alt: false, control: false), false));
            return this;
        }

        public Keys Control(ConsoleKey key)
        {
            _keys.Enqueue((new ConsoleKeyInfo((char)(key - ConsoleKey.A + 1), key, shift: false, alt: false, control: true), false));
            return this;
        }

        private Keys Add(string text, bool more)
        {
            foreach (char c in text) _keys.Enqueue((new ConsoleKeyInfo(c, c == '\n' ? ConsoleKey.Enter : ConsoleKey.None, false, false, false), more));
            return this;
        }
    }
}
