using System.Text;

namespace MambaRT.Chat;

/// <summary>A text that a template makes; every character is counted before it is added.</summary>
internal sealed class TemplateWriter
{
    private const int Pending = 64;

    private readonly StringBuilder _text = new();
    private int _uncounted;

    /// <summary>Characters so far.</summary>
    public int Length => _text.Length;

    /// <summary>Adds a text.</summary>
    public void Append(ReadOnlySpan<char> text, TemplateRun run, int line)
    {
        Count(text.Length, run, line);
        _text.Append(text);
    }

    /// <summary>Adds a character some times.</summary>
    public void Append(char character, int count, TemplateRun run, int line)
    {
        Count(count, run, line);
        _text.Append(character, count);
    }

    /// <summary>Returns the whole.</summary>
    public string ToText(TemplateRun run, int line)
    {
        run.Touch(_text.Length, line);
        return _text.ToString();
    }

    private void Count(int length, TemplateRun run, int line)
    {
        if (length > TemplateRun.MaxOutput - _text.Length) run.ChargeText(TemplateRun.MaxOutput + 1L, line);
        _uncounted += length;
        if (_uncounted < Pending) return;
        run.Touch(_uncounted, line);
        _uncounted = 0;
    }
}
