using System.Globalization;
using System.Text;

namespace MambaRT.Cli;

/// <summary>Where keys come from: the console, or a test.</summary>
internal interface IKeySource
{
    /// <summary>Waits for a key.</summary>
    ConsoleKeyInfo Read();

    /// <summary>Whether a key is there already, as in the middle of pasted text.</summary>
    bool IsReady { get; }
}

/// <summary>Reads lines with editing and history. Line breaks inside pasted text, and those of Alt-Enter, become part of the line.</summary>
internal sealed class LineEditor(IKeySource keys, TextWriter screen, Func<int> columns)
{
    private readonly List<string> _history = [];
    private readonly StringBuilder _text = new();
    private int _cursor;
    private int _recalled;
    private string _draft = "";

    /// <summary>Reads a line.</summary>
    /// <returns>The line; null at Ctrl-D on an empty one; empty at Ctrl-C.</returns>
    public string? ReadLine(string prompt)
    {
        var view = new LineView(screen, prompt, columns);
        _text.Clear();
        _cursor = 0;
        _recalled = _history.Count;
        view.Draw("", 0);
        while (true)
        {
            ConsoleKeyInfo key = keys.Read();
            bool control = (key.Modifiers & ConsoleModifiers.Control) != 0;
            if (control && key.Key == ConsoleKey.C) return End(view, "");
            if (control && key.Key == ConsoleKey.D && _text.Length == 0) return End(view, null);
            if (IsEnter(key) && (key.Modifiers & ConsoleModifiers.Alt) == 0 && !keys.IsReady) return End(view, _text.ToString());
            if (control && key.Key == ConsoleKey.L) view.Clear();
            Apply(key, control);
            if (!keys.IsReady) view.Draw(_text.ToString(), _cursor);   // pasted text is drawn once
        }
    }

    private string? End(LineView view, string? line)
    {
        view.Draw(_text.ToString(), _text.Length);
        screen.Write("\r\n");
        screen.Flush();
        if (!string.IsNullOrWhiteSpace(line) && (_history.Count == 0 || _history[^1] != line)) _history.Add(line);
        return line;
    }

    private void Apply(ConsoleKeyInfo key, bool control)
    {
        switch (key.Key)
        {
            case ConsoleKey.LeftArrow: _cursor = control ? WordStart() : Before(); break;
            case ConsoleKey.RightArrow: _cursor = control ? WordEnd() : After(); break;
            case ConsoleKey.Home: _cursor = 0; break;
            case ConsoleKey.End: _cursor = _text.Length; break;
            case ConsoleKey.UpArrow: Recall(_recalled - 1); break;
            case ConsoleKey.DownArrow: Recall(_recalled + 1); break;
            case ConsoleKey.Backspace: Remove(control ? WordStart() : Before(), _cursor); break;
            case ConsoleKey.Delete: Remove(_cursor, After()); break;
            case ConsoleKey.A when control: _cursor = 0; break;
            case ConsoleKey.E when control: _cursor = _text.Length; break;
            case ConsoleKey.B when control: _cursor = Before(); break;
            case ConsoleKey.F when control: _cursor = After(); break;
            case ConsoleKey.D when control: Remove(_cursor, After()); break;
            case ConsoleKey.H when control: Remove(Before(), _cursor); break;
            case ConsoleKey.K when control: Remove(_cursor, _text.Length); break;
            case ConsoleKey.U when control: Remove(0, _cursor); break;
            case ConsoleKey.W when control: Remove(WordStart(), _cursor); break;
            case ConsoleKey.P when control: Recall(_recalled - 1); break;
            case ConsoleKey.N when control: Recall(_recalled + 1); break;
            default: Type(key); break;
        }
    }

    private void Type(ConsoleKeyInfo key)
    {
        char c = IsEnter(key) ? '\n' : key.KeyChar == '\t' ? ' ' : key.KeyChar;
        if (char.IsControl(c) && c != '\n') return;
        _text.Insert(_cursor++, c);
    }

    private void Recall(int index)
    {
        if (index < 0 || index > _history.Count || index == _recalled) return;
        if (_recalled == _history.Count) _draft = _text.ToString();
        _recalled = index;
        _text.Clear().Append(index == _history.Count ? _draft : _history[index]);
        _cursor = _text.Length;
    }

    private void Remove(int start, int end)
    {
        _text.Remove(start, end - start);
        _cursor = start;
    }

    /// <summary>The beginning of the character, as people count them, before the cursor.</summary>
    private int Before()
    {
        string text = _text.ToString(0, _cursor);
        int start = 0;
        for (int next = 0; next < text.Length; next += StringInfo.GetNextTextElementLength(text, next)) start = next;
        return start;
    }

    private int After() => _cursor + (_cursor < _text.Length ? StringInfo.GetNextTextElementLength(_text.ToString(), _cursor) : 0);

    private int WordStart()
    {
        int at = _cursor;
        while (at > 0 && char.IsWhiteSpace(_text[at - 1])) at--;
        while (at > 0 && !char.IsWhiteSpace(_text[at - 1])) at--;
        return at;
    }

    private int WordEnd()
    {
        int at = _cursor;
        while (at < _text.Length && char.IsWhiteSpace(_text[at])) at++;
        while (at < _text.Length && !char.IsWhiteSpace(_text[at])) at++;
        return at;
    }

    private static bool IsEnter(ConsoleKeyInfo key) => key.Key == ConsoleKey.Enter || key.KeyChar is '\r' or '\n';
}
