using System.Globalization;

namespace MambaRT.Chat;

/// <summary>Writes values as Python's json.dumps does without ASCII escapes.</summary>
internal sealed class TemplateJson
{
    private readonly TemplateWriter _output = new();
    private readonly TemplateRun _run;
    private readonly int _line;
    private readonly int _indent;
    private readonly string _itemEnd, _keyEnd;

    private TemplateJson(TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        (_run, _line) = (run, line);
        object? indent = arguments.At(0, "indent", null);
        if (indent is not (null or (long and >= 0 and <= 16)))
            throw TemplateToken.Error(line, "the indent of tojson must be an integer between 0 and 16.");
        _indent = indent is long n ? (int)n : -1;
        (_itemEnd, _keyEnd) = arguments.At(int.MaxValue, "separators", null) is List<object?> and [string item, string key]
            ? (item, key) : (_indent < 0 ? ", " : ",", ": ");
    }

    /// <summary>Writes a value.</summary>
    public static string Write(object? value, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var json = new TemplateJson(arguments, run, line);
        json.Write(value, 0);
        return json._output.ToText(run, line);
    }

    private void Write(object? value, int level)
    {
        _run.Enter(_line);
        switch (value)
        {
            case List<object?> list:
                Append("[");
                for (var i = 0; i < list.Count; i++)
                {
                    Break(level + 1, i > 0);
                    Write(list[i], level + 1);
                }

                if (list.Count > 0) Break(level, null);
                Append("]");
                break;
            case OrderedDictionary<string, object?> map:
                Append("{");
                for (var i = 0; i < map.Count; i++)
                {
                    var (key, item) = map.GetAt(i);
                    Break(level + 1, i > 0);
                    Quote(key);
                    Append(_keyEnd);
                    Write(item, level + 1);
                }

                if (map.Count > 0) Break(level, null);
                Append("}");
                break;
            case string text:
                Quote(text);
                break;
            default:
                Append(value switch
                {
                    null => "null",
                    bool b => b ? "true" : "false",
                    long n => n.ToString(CultureInfo.InvariantCulture),
                    double d => TemplateValues.Float(d),
                    _ => throw TemplateToken.Error(_line, $"{TemplateValues.TypeName(value)} cannot be written as JSON."),
                });
                break;
        }

        _run.Leave();
    }

    /// <summary>Ends an item (<paramref name="follows"/>: another came before; null: the last is done) and starts a line when indenting.</summary>
    private void Break(int level, bool? follows)
    {
        if (follows is true) Append(_itemEnd);
        if (_indent < 0) return;
        Append("\n");
        _output.Append(' ', _indent * level, _run, _line);
    }

    private void Quote(string text)
    {
        _run.Touch(2L * text.Length, _line);
        Append("\"");
        foreach (var c in text)
        {
            switch (c)
            {
                case '"': Append("\\\""); break;
                case '\\': Append("\\\\"); break;
                case '\n': Append("\\n"); break;
                case '\r': Append("\\r"); break;
                case '\t': Append("\\t"); break;
                case '\b': Append("\\b"); break;
                case '\f': Append("\\f"); break;
                default:
                    if (c < ' ') Append(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"));
                    else _output.Append(c, 1, _run, _line);
                    break;
            }
        }

        Append("\"");
    }

    private void Append(string text) => _output.Append(text, _run, _line);
}
