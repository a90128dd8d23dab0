using System.Globalization;

namespace MambaRT.Chat;

/// <summary>The filters on single values. Source: Jinja 3.1, filters.py.</summary>
internal static class TemplateFilters
{
    private static readonly string[] Names =
    [
        "trim", "length", "count", "upper", "lower", "capitalize", "title", "tojson", "default", "d", "replace", "string", "safe", "escape", "e",
        "int", "float", "abs", "round", "format", "indent", "attr", "wordcount", "center", "forceescape", "striptags", "urlencode", "xmlattr",
        "truncate", "wordwrap", "pprint",
    ];

    /// <summary>Says whether a filter of this name exists.</summary>
    public static bool Exists(string name) => Names.Contains(name) || TemplateListFilters.Exists(name);

    /// <summary>Applies a filter.</summary>
    /// <exception cref="FormatException">There is none of this name, or it does not take the value.</exception>
    public static object? Apply(string name, object? value, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        switch (name)
        {
            case "length" or "count":
                return TemplateValues.Length(value, run, line);
            case "tojson":
                return TemplateJson.Write(value, arguments, run, line);
            case "default" or "d":
                var replaced = value is TemplateUndefined
                    || (TemplateValues.Truth(arguments.At(1, "boolean", false)) && !TemplateValues.Truth(value));
                return replaced ? arguments.At(0, "default_value", "") : value;
            case "int":
                return ToInteger(value, arguments.At(0, "default", 0L), run, line);
            case "float":
                return ToFloat(value, run, line) ?? arguments.At(0, "default", 0.0);
            case "abs" or "round":
                return Rounded(name, value, arguments, line);
            case "urlencode":
                return TemplateMarkup.UrlEncode(value, run, line);
            case "xmlattr":
                return TemplateMarkup.XmlAttributes(value, arguments, run, line);
            case "pprint":
                return TemplatePretty.Write(value, run, line);
            case "random":
                throw TemplateToken.Error(line, "the filter 'random' is not supported: the same conversation must give the same text each time.");
            case "attr":
                return MemberExpression.Get(value, arguments.StringAt(0, "name", "", line), run, line);
            default:
                return Names.Contains(name) ? OnText(name, TemplateValues.Text(value, run, line), arguments, run, line)
                    : TemplateListFilters.Apply(name, value, arguments, run, line);
        }
    }

    private static object OnText(string name, string text, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        switch (name)
        {
            case "trim":
                return TemplateStrings.Trim(text, arguments.StringAt(0, "chars", null, line), true, true, run, line);
            case "upper":
                return TemplateCase.Upper(text, run, line);
            case "lower":
                return TemplateCase.Lower(text, run, line);
            case "capitalize":
                return TemplateCase.Capitalize(text, null, run, line);
            case "title":
                return TemplateCase.Capitalize(text, c => TemplateStrings.IsSpace(c) || "-({[<".Contains(c), run, line);
            case "replace":
                return TemplateMethods.Replace(text, arguments, run, line);
            case "format":
                return TemplateFormat.Percent(text, arguments.Positional, run, line);
            case "wordcount":
                return TemplateStrings.WordCount(text, run, line);
            case "escape" or "e" or "forceescape":
                return TemplateMarkup.Escape(text, run, line);
            case "striptags":
                return TemplateMarkup.StripTags(text, run, line);
            case "truncate":
                return TemplateLayout.Truncate(text, arguments, run, line);
            case "wordwrap":
                return TemplateLayout.WordWrap(text, arguments, run, line);
            case "indent":
                return Indent(text, arguments, run, line);
            case "center":
                return TemplateLayout.Pad(text, "center", arguments.At(0, "width", 80L) is long width ? width : 0, " ", run, line);
            default:
                return text;
        }
    }

    private static object? ToInteger(object? value, object? missing, TemplateRun run, int line)
    {
        switch (value)
        {
            case long:
                return value;
            case bool b:
                return b ? 1L : 0L;
            case string s when long.TryParse(Digits(s, run, line), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n):
                return n;
            default:
                return ToFloat(value, run, line) is { } d && Math.Abs(d) < 9e18 ? (long)d : missing;
        }
    }

    private static double? ToFloat(object? value, TemplateRun run, int line)
    {
        if (TemplateValues.Number(value, out var number)) return number;
        return value is string s && double.TryParse(Digits(s, run, line), NumberStyles.Float, CultureInfo.InvariantCulture, out var d) ? d : null;
    }

    /// <summary>A text that may be a number; longer ones than any number is written with are none.</summary>
    private static ReadOnlySpan<char> Digits(string text, TemplateRun run, int line)
    {
        run.Touch(text.Length, line);
        var digits = run.Plain(text, line).AsSpan().Trim();
        return digits.Length <= 400 ? digits : [];
    }

    private static object Rounded(string name, object? value, TemplateArguments.Values arguments, int line)
    {
        if (!TemplateValues.Number(value, out var number))
            throw TemplateToken.Error(line, $"the filter '{name}' needs a number; found {TemplateValues.TypeName(value)}.");
        if (name == "abs")
        {
            if (value is not long whole) return Math.Abs(number);
            return whole > long.MinValue ? Math.Abs(whole) : throw TemplateToken.Error(line, "an integer grows beyond 64 bits.");
        }

        var method = arguments.StringAt(1, "method", "common", line);
        if (value is long && method is not ("ceil" or "floor")) return value;
        var digits = arguments.At(0, "precision", 0L) is long p and >= 0 and <= 15 ? (int)p
            : throw TemplateToken.Error(line, "the precision of round must be an integer between 0 and 15.");
        var scale = Math.Pow(10, digits);
        return method switch
        {
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => Math.Round(number, digits, MidpointRounding.ToEven),
        };
    }

    private static string Indent(string text, TemplateArguments.Values arguments, TemplateRun run, int line)
    {
        var width = arguments.At(0, "width", 4L);
        var space = width as string ?? (width is long n and >= 0 and <= 1000 ? new string(' ', (int)n)
            : throw TemplateToken.Error(line, "the width of indent must be an integer between 0 and 1000, or a text."));
        var first = TemplateValues.Truth(arguments.At(1, "first", false));
        var blank = TemplateValues.Truth(arguments.At(2, "blank", false));
        var output = new TemplateWriter();
        run.ChargeText(text.Length + 1L, line);
        var rows = TemplateStrings.Lines(text + "\n", keepsEnds: false, run, line);
        for (var i = 0; i < rows.Count; i++)
        {
            var row = (string)rows[i]!;   // lines are texts
            if (i > 0) output.Append("\n", run, line);
            if (i == 0 ? first : blank || row.Length > 0) output.Append(space, run, line);
            output.Append(row, run, line);
        }

        return output.ToText(run, line);
    }
}
