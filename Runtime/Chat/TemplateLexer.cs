using System.Text;

namespace MambaRT.Chat;

/// <summary>
/// Cuts a chat template into tokens, with the whitespace rules that chat templates are written for:
/// trim_blocks and lstrip_blocks on, a single newline at the end dropped.
/// Source: Jinja 3.1, lexer.py.
/// </summary>
internal sealed class TemplateLexer
{
    private static readonly string[] LongOperators = ["==", "!=", "<=", ">=", "//", "**"];

    private readonly string _source;
    private readonly HashSet<string> _words = new(StringComparer.Ordinal);   // each once: a template of many short names stays small
    private readonly List<TemplateToken> _tokens = [];
    private int _at;
    private int _line = 1;
    private bool _lineStarting = true;

    private TemplateLexer(string source)
    {
        _source = source;
    }

    /// <summary>Returns the tokens, the last of them <see cref="TemplateTokenKind.End"/>.</summary>
    /// <exception cref="FormatException">A tag, comment or string is not closed, or a character means nothing.</exception>
    public static List<TemplateToken> Lex(string template)
    {
        var source = template.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (source.EndsWith('\n')) source = source[..^1];
        var lexer = new TemplateLexer(source);
        while (lexer._at < source.Length) lexer.Next();
        lexer.Add(TemplateTokenKind.End, "");
        return lexer._tokens;
    }

    private void Next()
    {
        var open = FindTag();
        var text = _source[_at..open];
        if (open == _source.Length)
        {
            AddText(text, text);
            return;
        }

        var kind = _source[open + 1];
        var sign = open + 2 < _source.Length ? _source[open + 2] : ' ';
        var kept = text;
        if (sign == '-') kept = text.TrimEnd();
        else if (sign != '+' && kind != '{') kept = StripLineStart(text);
        AddText(text, kept);
        _at = open + 2 + (sign is '-' or '+' ? 1 : 0);

        if (kind == '#') Comment();
        else if (kind == '%' && RawTag(_at, "raw") is int inside and >= 0) Raw(inside);
        else Tag(kind == '{' ? "}}" : "%}");
    }

    private int FindTag()
    {
        for (var i = _at; i + 1 < _source.Length; i++)
        {
            if (_source[i] == '{' && _source[i + 1] is '{' or '%' or '#') return i;
        }

        return _source.Length;
    }

    private string StripLineStart(string text)
    {
        var start = text.LastIndexOf('\n') + 1;
        return (start > 0 || _lineStarting) && text.AsSpan(start).IsWhiteSpace() ? text[..start] : text;
    }

    private void AddText(string text, string kept)
    {
        if (kept.Length > 0) Add(TemplateTokenKind.Text, kept);
        Advance(text.Length);
    }

    private void Comment()
    {
        var end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0) throw TemplateToken.Error(_line, "the comment is not closed; end it with '#}'.");
        var sign = end > _at ? _source[end - 1] : ' ';
        Advance(end + 2 - _at);
        AfterTag(sign, trimsNewline: true);
    }

    /// <summary>The place behind a tag of one word that begins at <paramref name="at"/>, or -1.</summary>
    private int RawTag(int at, string word)
    {
        while (at < _source.Length && char.IsWhiteSpace(_source[at])) at++;
        if (string.CompareOrdinal(_source, at, word, 0, word.Length) != 0) return -1;
        at += word.Length;
        while (at < _source.Length && char.IsWhiteSpace(_source[at])) at++;
        if (at < _source.Length && _source[at] is '-' or '+') at++;
        return string.CompareOrdinal(_source, at, "%}", 0, 2) == 0 ? at + 2 : -1;
    }

    /// <summary>Takes everything up to "endraw" as text.</summary>
    private void Raw(int start)
    {
        int opened = _line;
        Advance(start - _at);
        AfterTag(_source[start - 3], trimsNewline: true);
        for (int open = _at; (open = _source.IndexOf("{%", open, StringComparison.Ordinal)) >= 0; open += 2)
        {
            char sign = open + 2 < _source.Length ? _source[open + 2] : ' ';
            int end = RawTag(open + (sign is '-' or '+' ? 3 : 2), "endraw");
            if (end < 0) continue;
            string text = _source[_at..open];
            AddText(text, sign == '-' ? text.TrimEnd() : sign == '+' ? text : StripLineStart(text));
            Advance(end - _at);
            AfterTag(_source[end - 3], trimsNewline: true);
            return;
        }
        throw TemplateToken.Error(opened, "the block 'raw' is not closed: 'endraw' is needed.");
    }

    private void Tag(string close)
    {
        var output = close == "}}";
        Add(output ? TemplateTokenKind.OutputStart : TemplateTokenKind.BlockStart, "");
        var opened = _line;
        var depth = 0;
        while (true)
        {
            while (_at < _source.Length && char.IsWhiteSpace(_source[_at])) Advance(1);
            if (_at >= _source.Length) throw TemplateToken.Error(opened, $"the tag is not closed; end it with '{close}'.");
            if (depth == 0)
            {
                var sign = _source[_at];
                var at = _at + (sign is '-' or '+' ? 1 : 0);
                if (string.CompareOrdinal(_source, at, close, 0, 2) == 0)
                {
                    Add(output ? TemplateTokenKind.OutputEnd : TemplateTokenKind.BlockEnd, "");
                    _at = at + 2;
                    AfterTag(sign, trimsNewline: !output);
                    return;
                }
            }

            var c = _source[_at];
            if (c is '(' or '[' or '{') depth++;
            if (c is ')' or ']' or '}') depth = Math.Max(0, depth - 1);
            Token(c);
        }
    }

    /// <summary>Drops the whitespace that the end of a tag takes with it.</summary>
    private void AfterTag(char sign, bool trimsNewline)
    {
        var start = _at;
        if (sign == '-')
        {
            while (_at < _source.Length && char.IsWhiteSpace(_source[_at])) Advance(1);
        }
        else if (trimsNewline && sign != '+' && _at < _source.Length && _source[_at] == '\n')
        {
            Advance(1);
        }

        _lineStarting = _at > start && _source[_at - 1] == '\n';
    }

    private void Token(char c)
    {
        if (char.IsLetter(c) || c == '_') Word();
        else if (char.IsAsciiDigit(c)) Number();
        else if (c is '\'' or '"') Literal(c);
        else Operator();
    }

    private void Word()
    {
        var end = _at;
        while (end < _source.Length && (char.IsLetterOrDigit(_source[end]) || _source[end] == '_')) end++;
        Take(TemplateTokenKind.Name, end);
    }

    private void Number()
    {
        if (_source[_at] == '0' && Based() is int behind and > 0)
        {
            Take(TemplateTokenKind.Integer, behind);
            return;
        }

        var end = SkipDigits(_at);
        var kind = TemplateTokenKind.Integer;
        if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
        {
            end = SkipDigits(end + 1);
            kind = TemplateTokenKind.Float;
        }

        if (end < _source.Length && _source[end] is 'e' or 'E')
        {
            var digits = end + 1 < _source.Length && _source[end + 1] is '+' or '-' ? end + 2 : end + 1;
            if (SkipDigits(digits) > digits)
            {
                end = SkipDigits(digits);
                kind = TemplateTokenKind.Float;
            }
        }

        Take(kind, end);
    }

    /// <summary>The place behind digits, between which single underscores may stand.</summary>
    private int SkipDigits(int at) => SkipDigits(at, char.IsAsciiDigit);

    private int SkipDigits(int at, Func<char, bool> isDigit)
    {
        int start = at;
        for (; at < _source.Length; at++)
        {
            bool joins = _source[at] == '_' && at > start && at + 1 < _source.Length && isDigit(_source[at + 1]);
            if (!joins && !isDigit(_source[at])) break;
        }

        return at;
    }

    /// <summary>The place behind an integer such as 0xff, 0o17 or 0b11; 0 where there is none.</summary>
    private int Based()
    {
        Func<char, bool>? isDigit = (_at + 1 < _source.Length ? char.ToLowerInvariant(_source[_at + 1]) : ' ') switch
        {
            'x' => char.IsAsciiHexDigit,
            'o' => c => c is >= '0' and <= '7',
            'b' => c => c is '0' or '1',
            _ => null,
        };
        int digits = _at + 2, end = isDigit is null ? digits : SkipDigits(digits, isDigit);
        return end > digits ? end : 0;
    }

    private void Literal(char quote)
    {
        var text = new StringBuilder();
        for (var i = _at + 1; i < _source.Length; i++)
        {
            if (_source[i] == quote)
            {
                Add(TemplateTokenKind.String, text.ToString());
                Advance(i + 1 - _at);
                return;
            }

            if (_source[i] == '\\' && i + 1 < _source.Length) i = Escape(text, i + 1);
            else text.Append(_source[i]);
        }

        throw TemplateToken.Error(_line, $"the string is not closed; end it with {quote}.");
    }

    /// <summary>Appends what the escape at <paramref name="at"/> (behind the backslash) stands for; returns its last position.</summary>
    private int Escape(StringBuilder text, int at)
    {
        var c = _source[at];
        var digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0 && at + digits < _source.Length
            && uint.TryParse(_source.AsSpan(at + 1, digits), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var code) && code <= 0x10ffff)
        {
            if (code <= char.MaxValue) text.Append((char)code);
            else text.Append(char.ConvertFromUtf32((int)code));
            return at + digits;
        }

        int octal = at, number = 0;
        while (octal < _source.Length && octal < at + 3 && _source[octal] is >= '0' and <= '7') number = number * 8 + (_source[octal++] - '0');
        if (octal > at)
        {
            text.Append((char)number);
            return octal - 1;
        }

        const string Letters = "ntrbfva\\'\"";
        const string Meanings = "\n\t\r\b\f\v\a\\'\"";
        var index = Letters.IndexOf(c);
        // Python keeps an escape that it does not know, backslash and all.
        if (index >= 0) text.Append(Meanings[index]);
        else if (c != '\n') text.Append('\\').Append(c);
        return at;
    }

    private void Operator()
    {
        foreach (var two in _at + 1 < _source.Length && _source[_at + 1] is '=' or '/' or '*' ? LongOperators : [])
        {
            if (string.CompareOrdinal(_source, _at, two, 0, 2) != 0) continue;
            Take(TemplateTokenKind.Operator, _at + 2);
            return;
        }

        if (!"+-*/%~<>=()[]{}.,:|".Contains(_source[_at]))
            throw TemplateToken.Error(_line, $"the character '{_source[_at]}' means nothing inside a tag.");
        Take(TemplateTokenKind.Operator, _at + 1);
    }

    private void Take(TemplateTokenKind kind, int end)
    {
        ReadOnlySpan<char> word = _source.AsSpan(_at, end - _at);
        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> words = _words.GetAlternateLookup<ReadOnlySpan<char>>();
        words.Add(word);
        words.TryGetValue(word, out string? known);
        Add(kind, known!);   // it was added
        _at = end;
    }

    private void Add(TemplateTokenKind kind, string value) => _tokens.Add(new TemplateToken(kind, value, _line));

    private void Advance(int count)
    {
        for (var end = _at + count; _at < end; _at++)
        {
            if (_source[_at] == '\n') _line++;
        }
    }
}
