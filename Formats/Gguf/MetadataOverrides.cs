using System.Globalization;
using System.Text;

namespace MambaRT.Formats;

/// <summary>Metadata that takes the place of what a file says, in llama.cpp's notation <c>KEY=TYPE:VALUE</c>. Immutable.</summary>
/// <remarks>Notation: llama.cpp, <c>string_parse_kv_override</c> and the option <c>--override-kv</c>, which takes several separated by commas.</remarks>
public sealed class MetadataOverrides
{
    private const string Needed = "KEY=TYPE:VALUE is needed, with a type of int, float, bool or str, such as tokenizer.ggml.pre=str:gpt-2";

    private readonly List<(string Key, object Value)> _values = [];

    private MetadataOverrides()
    {
    }

    /// <summary>No overrides.</summary>
    public static MetadataOverrides None { get; } = new();

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => _values.Count == 0;

    /// <summary>Reads overrides.</summary>
    /// <param name="texts">
    /// One or several overrides each, separated by commas; one with a comma inside stands in double quotes, in which two of them are one.
    /// Of several for one key the last holds.
    /// </param>
    /// <exception cref="FormatException">One is not of that form, or is about files and not about the model; the message shows it.</exception>
    public static MetadataOverrides Parse(IEnumerable<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var overrides = new MetadataOverrides();
        foreach (string text in texts)
            foreach (string item in Items(text)) overrides._values.Add(Read(item));
        return overrides;
    }

    /// <summary>Puts the values into <paramref name="metadata"/>; an integer takes the type that the file has for its key.</summary>
    /// <exception cref="FormatException">A key of the file is of another kind, or its type has no room for the number.</exception>
    public void Apply(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        foreach ((string key, object value) in _values)
            metadata.Set(key, metadata.TryGet(key, out GgufValue old) ? Fit(metadata.Subject, key, value, old) : New(value));
    }

    /// <summary>Cuts at commas outside quotes; a quote within an item that does not begin with one is a character like others.</summary>
    private static IEnumerable<string> Items(string text)
    {
        var item = new StringBuilder();
        bool quoted = false;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '"' && quoted && i + 1 < text.Length && text[i + 1] == '"') item.Append(text[i++]);
            else if (c == '"' && (quoted || item.Length == 0)) quoted = !quoted;
            else if (c == ',' && !quoted)
            {
                yield return item.ToString();
                item.Clear();
            }
            else item.Append(c);
        }
        if (quoted) throw new FormatException($"'{Printable.Text(text)}' has a double quote that is not closed; close it, or leave it out where there is no comma inside.");
        yield return item.ToString();
    }

    private static (string Key, object Value) Read(string item)
    {
        int equals = item.IndexOf('='), colon = item.IndexOf(':', equals + 1);
        string shown = Printable.Text(item);
        if (equals < 1 || colon < 0) throw new FormatException($"'{shown}' is no override of metadata; {Needed}.");
        if (GgufSplit.Keys.Contains(item[..equals]))
            throw new FormatException($"'{shown}' says how a model is cut into files, which is as its files are; leave it out.");
        string value = item[(colon + 1)..];
        return (item[..equals], item[(equals + 1)..colon] switch
        {
            "int" when long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) => whole,
            "float" when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && float.IsFinite((float)number) => (float)number,
            "bool" when value is "true" or "false" => value == "true",
            "str" => value,
            "int" => throw new FormatException($"'{shown}' gives '{Printable.Text(value)}' as int; a whole number is needed."),
            "float" => throw new FormatException($"'{shown}' gives '{Printable.Text(value)}' as float; a finite number such as 0.7 is needed."),
            "bool" => throw new FormatException($"'{shown}' gives '{Printable.Text(value)}' as bool; true or false is needed."),
            _ => throw new FormatException($"'{shown}' has an unknown type; {Needed}."),
        });
    }

    /// <summary>A value whose key the file lacks: an integer takes 32 bits where they do.</summary>
    private static object New(object value) => value switch
    {
        long and >= 0 and <= uint.MaxValue => (object)(uint)(long)value,
        long and < 0 and >= int.MinValue => (int)(long)value,
        _ => value,
    };

    private static object Fit(string subject, string key, object value, GgufValue old)
    {
        object? fitted = (old.Value, value) switch
        {
            (byte, long x and >= byte.MinValue and <= byte.MaxValue) => (byte)x,
            (sbyte, long x and >= sbyte.MinValue and <= sbyte.MaxValue) => (sbyte)x,
            (ushort, long x and >= ushort.MinValue and <= ushort.MaxValue) => (ushort)x,
            (short, long x and >= short.MinValue and <= short.MaxValue) => (short)x,
            (uint, long x and >= uint.MinValue and <= uint.MaxValue) => (uint)x,
            (int, long x and >= int.MinValue and <= int.MaxValue) => (int)x,
            (ulong, long x and >= 0) => (ulong)x,
            (long, long x) => x,
            (float, float x) => x,
            (double, float x) => (double)x,
            (bool, bool x) => x,
            (string, string x) => x,
            _ => null,
        };
        return fitted ?? throw new FormatException(
            $"{subject}: key '{Printable.Text(key)}' is {(old.Type == GgufValueType.Array ? $"an array of {old.ElementType}" : $"a {old.Type}")} and cannot become {Name(value)}; override it with a value of its own type.");
    }

    private static string Name(object value) => value switch
    {
        long whole => string.Create(CultureInfo.InvariantCulture, $"the int {whole}"),
        float number => string.Create(CultureInfo.InvariantCulture, $"the float {number}"),
        bool flag => flag ? "the bool true" : "the bool false",
        _ => "a str",
    };
}
