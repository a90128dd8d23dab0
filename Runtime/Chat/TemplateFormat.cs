using System.Globalization;

namespace MambaRT.Chat;

/// <summary>Python's two ways to put values into a text.</summary>
internal static class TemplateFormat
{
    /// <summary>"%s has %d" with values: flags '-' and '0', width and precision.</summary>
    public static string Percent(string format, IReadOnlyList<object?> values, TemplateRun run, int line)
    {
        var output = new TemplateWriter();
        string plain = run.Plain(format, line);
        int next = 0;
        for (int i = 0; i < plain.Length; i++)
        {
            if (plain[i] != '%')
            {
                output.Append(format[i], 1, run, line);
                continue;
            }
            bool left = false, zeros = false;
            for (i++; i < plain.Length && plain[i] is '-' or '0' or '+' or ' ' or '#'; i++)
            {
                left |= plain[i] == '-';
                zeros |= plain[i] == '0';
            }
            int width = Digits(plain, ref i, line), precision = -1;
            if (i < plain.Length && plain[i] == '.')
            {
                i++;
                precision = Digits(plain, ref i, line);
            }
            if (i >= plain.Length) throw TemplateToken.Error(line, "a format ends behind '%'.");
            if (plain[i] == '%')
            {
                output.Append("%", run, line);
                continue;
            }
            if (next >= values.Count) throw TemplateToken.Error(line, $"a format needs more than {values.Count} values.");
            Pad(One(plain[i], values[next++], precision, run, line), width, left, zeros && plain[i] != 's', output, run, line);
        }
        return output.ToText(run, line);
    }

    /// <summary>"{} has {name}" with values: by order, place or name, without further marks.</summary>
    public static string Braces(string format, TemplateArguments.Values values, TemplateRun run, int line)
    {
        var output = new TemplateWriter();
        string plain = run.Plain(format, line);
        int next = 0;
        for (int i = 0; i < plain.Length; i++)
        {
            char c = plain[i];
            bool doubled = c is '{' or '}' && i + 1 < plain.Length && plain[i + 1] == c;
            if (c != '{' || doubled)
            {
                output.Append(format[i], 1, run, line);
                if (doubled) i++;
                continue;
            }
            int close = plain.IndexOf('}', i);
            if (close < 0) throw TemplateToken.Error(line, "a format has a '{' without '}'.");
            string field = plain[(i + 1)..close];
            int place = field.Length == 0 ? next++ : int.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out int given) ? given : int.MaxValue;
            object? value = values.At(place, field, new TemplateUndefined(field));
            if (value is TemplateUndefined) throw TemplateToken.Error(line, $"a format has the field '{{{field}}}', and there is no such value.");
            output.Append(TemplateValues.Text(value, run, line), run, line);
            i = close;
        }
        return output.ToText(run, line);
    }

    private static string One(char code, object? value, int precision, TemplateRun run, int line)
    {
        if (code == 's')
        {
            string text = TemplateValues.Text(value, run, line);
            return precision >= 0 && precision < text.Length ? text[..precision] : text;
        }
        if (!TemplateValues.Number(value, out double number) || !double.IsFinite(number))
            throw TemplateToken.Error(line, $"the format '%{code}' needs a number; found {TemplateValues.TypeName(value)}.");
        if (precision > 64) throw TemplateToken.Error(line, "a format writes at most 64 decimals.");
        return code switch
        {
            'd' or 'i' or 'u' => value is long n ? n.ToString(CultureInfo.InvariantCulture) : Math.Truncate(number).ToString("F0", CultureInfo.InvariantCulture),
            'x' when value is long n => n.ToString("x", CultureInfo.InvariantCulture),
            'X' when value is long n => n.ToString("X", CultureInfo.InvariantCulture),
            'f' or 'F' => number.ToString("F" + (precision < 0 ? 6 : precision).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
            _ => throw TemplateToken.Error(line, $"the format '%{code}' is not supported; s, d, i, u, x, X and f are."),
        };
    }

    private static void Pad(string text, int width, bool left, bool zeros, TemplateWriter output, TemplateRun run, int line)
    {
        int room = Math.Max(0, width - text.Length);
        bool sign = zeros && !left && text.StartsWith('-');
        if (sign) output.Append("-", run, line);
        if (!left) output.Append(zeros ? '0' : ' ', room, run, line);
        output.Append(sign ? text.AsSpan(1) : text, run, line);
        if (left) output.Append(' ', room, run, line);
    }

    private static int Digits(string text, ref int at, int line)
    {
        int value = 0;
        for (; at < text.Length && char.IsAsciiDigit(text[at]); at++)
        {
            value = value * 10 + (text[at] - '0');
            if (value > TemplateRun.MaxOutput) throw TemplateToken.Error(line, $"it makes a text of more than {TemplateRun.MaxOutput} characters.");
        }
        return value;
    }
}
