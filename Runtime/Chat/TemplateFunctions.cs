using System.Globalization;

namespace MambaRT.Chat;

/// <summary>The functions that every template may call. Source: Jinja 3.1, defaults.py, and transformers, chat_template_utils.py.</summary>
internal static class TemplateFunctions
{
    private const string Names = "raise_exception, range, namespace, dict, cycler, joiner and strftime_now";

    /// <summary>Says whether there is a function of this name.</summary>
    public static bool Exists(string name) => name is "raise_exception" or "range" or "namespace" or "dict" or "cycler" or "joiner" or "strftime_now";

    /// <summary>Calls a function.</summary>
    public static object? Call(string name, TemplateArguments.Values values, TemplateRun run, int line)
    {
        switch (name)
        {
            case "raise_exception":
                string message = run.Plain(TemplateValues.Text(values.At(0, "message", ""), run, line), line);
                throw TemplateToken.Error(line, $"the template refuses these messages: {message}");
            case "range":
                return Range(values, run, line);
            case "namespace":
                var space = new TemplateNamespace();
                foreach (var (key, value) in Entries(values, run, line)) space.Attributes[key] = value;
                return space;
            case "dict":
                return Entries(values, run, line);
            case "cycler":
                return values.Positional.Count > 0 ? new TemplateCycler(values.Positional) : throw TemplateToken.Error(line, "cycler needs at least one item.");
            case "joiner":
                return new TemplateJoiner(values.StringAt(0, "sep", ", ", line) ?? "");
            case "strftime_now":
                return Time(values.StringAt(0, "format", "", line) ?? "", run, line);
            default:
                throw TemplateToken.Error(line, $"the function '{name}' is unknown; known are {Names}.");
        }
    }

    private static OrderedDictionary<string, object?> Entries(TemplateArguments.Values values, TemplateRun run, int line)
    {
        var map = new OrderedDictionary<string, object?>();
        if (values.Positional is [OrderedDictionary<string, object?> other, ..])
        {
            run.Charge(other.Count, line);
            foreach (var (key, value) in other) map[key] = value;
        }
        foreach (var (key, value) in values.Named) map[key] = value;
        return map;
    }

    private static List<object?> Range(TemplateArguments.Values values, TemplateRun run, int line)
    {
        foreach (var value in values.Positional)
        {
            if (value is not long) throw TemplateToken.Error(line, $"range needs integers; found {TemplateValues.TypeName(value)}.");
        }

        var numbers = values.Positional.ConvertAll(value => (long)value!);   // integers, as checked
        if (numbers.Count is < 1 or > 3) throw TemplateToken.Error(line, $"range needs 1 to 3 integers; found {numbers.Count}.");
        var (start, stop) = numbers.Count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1]);
        var step = numbers.Count == 3 ? numbers[2] : 1;
        if (step == 0) throw TemplateToken.Error(line, "the step of a range cannot be 0.");

        // In 128 bits no distance overflows.
        var distance = step > 0 ? (Int128)stop - start : (Int128)start - stop;
        var width = step > 0 ? (Int128)step : -(Int128)step;
        var count = distance <= 0 ? 0 : (distance + width - 1) / width;
        run.Charge((long)Int128.Min(count, TemplateRun.MaxSteps + 1), line);
        var list = new List<object?>((int)count);
        for (var i = 0; i < (int)count; i++) list.Add(start + i * step);
        return list;
    }

    /// <summary>Writes the time as C's strftime does in its own locale.</summary>
    private static string Time(string format, TemplateRun run, int line)
    {
        format = run.Plain(format, line);
        var output = new TemplateWriter();
        for (int i = 0; i < format.Length; i++)
        {
            bool bare = format[i] == '%' && i + 2 < format.Length && format[i + 1] == '-';   // without leading zeros
            if (format[i] != '%' || i + (bare ? 2 : 1) >= format.Length)
            {
                output.Append(format[i], 1, run, line);
                continue;
            }
            i += bare ? 2 : 1;
            string text = Part(format[i], run.Now) ?? $"%{format[i]}";
            output.Append(bare && text.TrimStart('0') is { Length: > 0 } digits ? digits : text, run, line);
        }
        return output.ToText(run, line);
    }

    private static string? Part(char code, DateTime now)
    {
        string? format = code switch
        {
            'Y' => "yyyy", 'm' => "MM", 'd' => "dd", 'B' => "MMMM", 'b' or 'h' => "MMM", 'A' => "dddd", 'a' => "ddd", 'H' => "HH", 'I' => "hh",
            'M' => "mm", 'S' => "ss", 'p' => "tt", 'y' => "yy", 'F' => "yyyy-MM-dd", 'T' or 'X' => "HH:mm:ss", 'D' or 'x' => "MM/dd/yy",
            'R' => "HH:mm", 'f' => "ffffff", _ => null,
        };
        if (format is not null) return now.ToString(format, CultureInfo.InvariantCulture);
        return code switch
        {
            'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
            'e' => now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'c' => now.ToString("ddd MMM ", CultureInfo.InvariantCulture) + now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + now.ToString(" HH:mm:ss yyyy", CultureInfo.InvariantCulture),
            '%' => "%",
            'n' => "\n",
            't' => "\t",
            'z' or 'Z' => "",
            _ => null,
        };
    }
}
