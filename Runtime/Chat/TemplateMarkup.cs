using System.Buffers;
using System.Net;
using System.Text;

namespace MambaRT.Chat;

/// <summary>Texts for HTML and addresses. Source: Jinja 3.1, filters.py and utils.py; MarkupSafe. Contents stay marked through all of it.</summary>
internal static class TemplateMarkup
{
    private const int LongestEntity = 32;

    private static readonly string[] Escapes = [.. Enumerable.Range(0, 256).Select(b => $"%{b:X2}")];

    private static readonly SearchValues<char> NoNames = SearchValues.Create(" \t\n\r\v\f/>=");

    /// <summary>Writes what means something in HTML as entities.</summary>
    public static string Escape(string text, TemplateRun run, int line)
    {
        string plain = run.Plain(text, line);
        var output = new TemplateWriter();
        for (int i = 0; i < text.Length; i++)
        {
            switch (plain[i])
            {
                case '&': output.Append("&amp;", run, line); break;
                case '<': output.Append("&lt;", run, line); break;
                case '>': output.Append("&gt;", run, line); break;
                case '"': output.Append("&#34;", run, line); break;
                case '\'': output.Append("&#39;", run, line); break;
                default: output.Append(text[i], 1, run, line); break;
            }
        }
        return output.ToText(run, line);
    }

    /// <summary>Leaves comments and tags out, makes each stretch of white space one space, and reads entities.</summary>
    public static string StripTags(string text, TemplateRun run, int line)
    {
        text = Without(Without(text, "<!--", "-->", run, line), "<", ">", run, line);
        text = (string)TemplateListFilters.Apply("join", TemplateStrings.Split(text, null, -1, run, line), new([" "], []), run, line)!;   // a join is a text
        string plain = run.Plain(text, line);
        var output = new TemplateWriter();
        int from = 0;
        for (int at; (at = plain.IndexOf('&', from)) >= 0;)
        {
            output.Append(text.AsSpan(from, at - from), run, line);
            int semicolon = plain.IndexOf(';', at, Math.Min(LongestEntity, plain.Length - at)), end = semicolon < 0 ? at : semicolon + 1;
            run.Charge(2, line);
            string read = WebUtility.HtmlDecode(plain[at..end]);
            bool isEntity = end > at && read.Length < end - at;
            // An entity of something said, be it in part, stays something said.
            output.Append(isEntity ? run.Like(new string(text[at + text.AsSpan(at, end - at).CommonPrefixLength(plain.AsSpan(at, end - at - 1))], read.Length), read, line)
                : text.Substring(at, 1), run, line);
            from = isEntity ? end : at + 1;
        }
        if (from == 0) return text;
        output.Append(text.AsSpan(from), run, line);
        return output.ToText(run, line);
    }

    /// <summary>Writes a text, or keys and values, for an address.</summary>
    public static string UrlEncode(object? value, TemplateRun run, int line)
    {
        if (value is not (OrderedDictionary<string, object?> or List<object?>)) return Quote(TemplateValues.Text(value, run, line), false, run, line);
        var output = new TemplateWriter();
        bool isFirst = true;
        foreach (object? pair in value is OrderedDictionary<string, object?> map ? TemplateMethods.Pairs(map, run, line) : (List<object?>)value)
        {
            IReadOnlyList<object?> parts = TemplateValues.Parts(pair, 2, run, line);
            if (!isFirst) output.Append("&", run, line);
            isFirst = false;
            output.Append(Quote(TemplateValues.Text(parts[0], run, line), true, run, line), run, line);
            output.Append("=", run, line);
            output.Append(Quote(TemplateValues.Text(parts[1], run, line), true, run, line), run, line);
        }
        return output.ToText(run, line);
    }

    /// <summary>Writes keys and values as attributes of a tag; what is none or undefined is left out.</summary>
    public static string XmlAttributes(object? value, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        if (value is not OrderedDictionary<string, object?> map) throw TemplateToken.Error(line, $"the filter 'xmlattr' needs a mapping; found {TemplateValues.TypeName(value)}.");
        bool spaced = TemplateValues.Truth(arguments.At(0, "autospace", true));
        var output = new TemplateWriter();
        foreach (var (key, item) in map)
        {
            run.Touch(key.Length, line);
            if (item is null or TemplateUndefined) continue;
            if (run.Plain(key, line).AsSpan().ContainsAny(NoNames)) throw TemplateToken.Error(line, "the name of an attribute has a space, '/', '>' or '='.");
            if (spaced || output.Length > 0) output.Append(" ", run, line);
            output.Append(Escape(key, run, line), run, line);
            output.Append("=\"", run, line);
            output.Append(Escape(TemplateValues.Text(item, run, line), run, line), run, line);
            output.Append("\"", run, line);
        }
        return output.ToText(run, line);
    }

    private static string Without(string text, string open, string close, TemplateRun run, int line)
    {
        string plain = run.Plain(text, line);
        var output = new TemplateWriter();
        int from = 0;
        for (int start; (start = TemplateStrings.IndexOf(plain, open, from, run, line)) >= 0;)
        {
            int end = TemplateStrings.IndexOf(plain, close, start, run, line);
            if (end < 0) break;
            output.Append(text.AsSpan(from, start - from), run, line);
            from = end + close.Length;
        }
        if (from == 0) return text;
        output.Append(text.AsSpan(from), run, line);
        return output.ToText(run, line);
    }

    /// <summary>Python's urllib.parse.quote: bytes of UTF-8 in hexadecimal, but for letters, digits and a few signs; in a query, '/' too and '+' for a space.</summary>
    private static string Quote(string text, bool inQuery, TemplateRun run, int line)
    {
        run.Touch(8L * text.Length, line);
        string plain = run.Plain(text, line);
        var output = new TemplateWriter();
        Span<byte> bytes = stackalloc byte[4];
        for (int i = 0; i < text.Length; i++)
        {
            char c = plain[i];
            if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '~' || (c == '/' && !inQuery)) output.Append(text[i], 1, run, line);
            else if (c == ' ' && inQuery) output.Append("+", run, line);
            else
            {
                Rune.DecodeFromUtf16(plain.AsSpan(i), out Rune rune, out int length);
                foreach (byte b in bytes[..rune.EncodeToUtf8(bytes)])
                    output.Append(text[i] == c ? Escapes[b] : run.Like(new string(text[i], 3), Escapes[b], line), run, line);   // of something said, it stays that
                i += length - 1;
            }
        }
        return output.ToText(run, line);
    }
}
