namespace MambaRT.Chat;

/// <summary>
/// Marks what someone said, character by character, so that it stays known through all that a template does to it. Immutable and thread-safe.
/// </summary>
/// <remarks>
/// A character that markers are spelled with has a twin in a private area that no content uses. Contents are rendered in twins; conditions,
/// searches and comparisons see the originals (<see cref="TemplateRun.Plain"/>), and texts cut, joined and changed keep their twins. In the
/// output a marker's spelling with a twin in it is none.
/// </remarks>
internal sealed class TemplateTwins
{
    private const char AreaStart = '\uE000', AreaEnd = '\uF8FF';
    private const int MaxOthers = 256;
    private const char Replacement = '\uFFFD';

    // Quotes and backslashes are left out, as writing values as text or JSON looks at them one by one.
    private static readonly string Ascii = string.Concat(Enumerable.Range('!', '~' - '!' + 1).Select(c => (char)c).Where(HasAsciiTwin));

    private readonly string _originals;
    private readonly char[] _asciiTwins = [.. Enumerable.Range(0, 128).Select(c => (char)c)];
    private readonly char _first, _last;

    /// <param name="others">Characters beyond ASCII that markers are spelled with, halves of pairs among them; the most needed first.</param>
    /// <param name="contents">What will be marked.</param>
    public TemplateTwins(IEnumerable<char> others, IEnumerable<string> contents)
    {
        string beyond = string.Concat(others.Where(c => c > '~').Distinct().Take(MaxOthers));
        _originals = Ascii + beyond;
        _first = FreeArea(contents.Append(beyond), _originals.Length);
        _last = (char)(_first + _originals.Length - 1);
        for (int i = 0; i < Ascii.Length; i++) _asciiTwins[Ascii[i]] = (char)(_first + i);
    }

    /// <summary>Whether a character always has a twin.</summary>
    public static bool HasAsciiTwin(char c) => c is > ' ' and <= '~' and not ('"' or '\'' or '\\');

    /// <summary>Writes a content in twins.</summary>
    public string Mark(string content) => string.Create(content.Length, (content, this), static (target, state) =>
    {
        (string text, TemplateTwins twins) = state;
        for (int i = 0; i < target.Length; i++)
            target[i] = twins.IsTwin(text[i]) ? Replacement : twins.TwinOf(text[i]);
    });

    /// <summary>Writes originals for twins.</summary>
    public string Plain(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange(_first, _last)) return text;
        return string.Create(text.Length, (text, this), static (target, state) =>
        {
            (string text, TemplateTwins twins) = state;
            for (int i = 0; i < target.Length; i++)
                target[i] = twins.IsTwin(text[i]) ? twins._originals[text[i] - twins._first] : text[i];
        });
    }

    /// <summary>Writes twins where the original of the same length has them.</summary>
    public string Like(string original, string changed)
    {
        if (original.Length != changed.Length || !original.AsSpan().ContainsAnyInRange(_first, _last)) return changed;
        return string.Create(changed.Length, (original, changed, this), static (target, state) =>
        {
            (string original, string changed, TemplateTwins twins) = state;
            for (int i = 0; i < target.Length; i++)
                target[i] = twins.IsTwin(original[i]) ? twins.TwinOf(changed[i]) : changed[i];
        });
    }

    private char TwinOf(char c)
    {
        if (c < _asciiTwins.Length) return _asciiTwins[c];
        int other = _originals.IndexOf(c);
        return other < 0 ? c : (char)(_first + other);
    }

    private bool IsTwin(char c) => c >= _first && c <= _last;

    /// <summary>The first stretch of the private area that no content uses; the last one where all are used, whose characters are then replaced.</summary>
    private static char FreeArea(IEnumerable<string> contents, int length)
    {
        int stretches = (AreaEnd - AreaStart + 1) / length;
        var used = new bool[stretches + 1];
        foreach (string content in contents)
        {
            ReadOnlySpan<char> left = content;
            while (left.IndexOfAnyInRange(AreaStart, AreaEnd) is int at and >= 0)
            {
                used[(left[at] - AreaStart) / length] = true;
                left = left[(at + 1)..];
            }
        }
        int free = Array.IndexOf(used, false, 0, stretches);
        return (char)(AreaStart + (free < 0 ? stretches - 1 : free) * length);
    }
}
