using System.Buffers;
using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>One JSON file of a hub checkpoint, with typed access; errors name the file, the key, what it is and what is needed.</summary>
/// <remarks>A key whose value is null counts as absent. Immutable.</remarks>
internal sealed class HubConfig
{
    /// <summary>The largest size any dimension may have: far above every published model, small enough that products fit a long.</summary>
    public const int MaxSize = 1 << 24;

    private const int MaxBytes = 1 << 28;
    private readonly JsonElement _root;

    private HubConfig(string path, JsonElement root)
    {
        Path = path;
        _root = root;
    }

    /// <summary>Where the file is.</summary>
    public string Path { get; }

    /// <summary>Reads a file that must be there and hold a JSON object.</summary>
    /// <exception cref="FormatException">It is not JSON, not an object, or unreasonably large.</exception>
    public static HubConfig Read(string path)
    {
        long bytes = new FileInfo(path).Length;
        if (bytes > MaxBytes) throw new FormatException($"{path}: the file has {bytes} bytes; at most {MaxBytes} are read. Download it again.");
        LfsPointer.Refuse(path);
        try
        {
            byte[] json = QuoteNonNumbers(File.ReadAllBytes(path));
            using JsonDocument document = JsonDocument.Parse(json);
            EnsureNames(json, path);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new FormatException($"{path}: the file holds no JSON object; download it again.");
            return new HubConfig(path, document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            throw new FormatException($"{path}: the file is not valid JSON (line {e.LineNumber + 1}); download it again.", e);
        }
    }

    /// <summary>A configuration made of another one.</summary>
    /// <param name="path">Where that one is, for messages.</param>
    /// <param name="write">Writes the keys.</param>
    public static HubConfig Make(string path, Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        using JsonDocument document = JsonDocument.Parse(bytes.WrittenMemory);
        return new HubConfig(path, document.RootElement.Clone());
    }

    /// <summary>Reads a file if it is there.</summary>
    public static HubConfig? TryRead(string path) => File.Exists(path) ? Read(path) : null;

    /// <summary>Reads a file of advice if it is there; what cannot be read stops nothing and is left out with a note that names it.</summary>
    /// <exception cref="FormatException">It is a Git LFS pointer: the advice is to be had.</exception>
    public static HubConfig? TryReadAdvice(string path, List<string> notes)
    {
        try
        {
            return TryRead(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException || (e is FormatException && !LfsPointer.IsAt(path)))
        {
            notes.Add($"{System.IO.Path.GetFileName(path)} is left out, with all that it recommends: {e.Message}");
            return null;
        }
    }

    /// <summary>A value of any type, or null.</summary>
    public JsonElement? Get(string key) =>
        _root.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>An object inside this one; without keys when it is absent.</summary>
    public HubConfig Section(string key)
    {
        if (Get(key) is not JsonElement value) return Make(Path, _ => { });
        return value.ValueKind == JsonValueKind.Object ? new HubConfig(Path, value) : throw Wrong(key, "an object");
    }

    /// <summary>All keys with their values, for objects that are tables.</summary>
    /// <exception cref="FormatException">A key is not valid text.</exception>
    public IEnumerable<(string Name, JsonElement Value)> Entries() => _root.EnumerateObject().Select(entry => (Name(entry), entry.Value));

    /// <summary>A size that must be there: 1 to 2^24.</summary>
    public int Size(string key) => TrySize(key) ?? throw new FormatException($"{Path}: key '{key}' is missing; a whole number from 1 to {MaxSize} is needed. Use the file that belongs to the checkpoint.");

    /// <summary>A size, or <paramref name="missing"/>.</summary>
    public int Size(string key, int missing) => TrySize(key) ?? missing;

    /// <summary>A positive number that a float32 can hold, or <paramref name="missing"/>.</summary>
    public float Positive(string key, float missing) => Number(key) switch
    {
        null => missing,
        > 0 and double value when (float)value > 0 => (float)value,
        _ => throw Wrong(key, "a number above 0"),
    };

    /// <summary>A number that a float32 can hold, in the precision of the file, or null.</summary>
    public double? Number(string key)
    {
        if (Get(key) is not JsonElement value) return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && float.IsFinite((float)number) ? number : throw Wrong(key, "a number");
    }

    /// <summary>A flag, or <paramref name="missing"/>.</summary>
    public bool Flag(string key, bool missing) => Get(key)?.ValueKind switch
    {
        null => missing,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(key, "true or false"),
    };

    /// <summary>A text, the spelling of a number, or null.</summary>
    public string? Text(string key)
    {
        if (Get(key) is not JsonElement value) return null;
        return value.ValueKind switch
        {
            JsonValueKind.String => String(value, key),
            JsonValueKind.Number => value.GetRawText(),
            _ => throw Wrong(key, "a text"),
        };
    }

    /// <summary>Token ids: a number, a list of numbers, or none. What is negative, as -1 is by custom, is no token; what else is none is left out with a note.</summary>
    /// <remarks>As llama.cpp's converter does: the tokenizer names its tokens itself, so that a wrong id costs little.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="rows">How many tokens there are.</param>
    /// <param name="notes">Takes what was left out.</param>
    public int[] Ids(string key, int rows, List<string> notes)
    {
        if (Get(key) is not JsonElement value) return [];
        var ids = new List<int>();
        IEnumerable<JsonElement> items = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : new[] { value };
        foreach (JsonElement item in items)
        {
            double id = item.ValueKind == JsonValueKind.Number ? item.GetDouble() : double.NaN;   // 2.0 is 2
            if (id >= 0 && id < rows && id == Math.Floor(id)) ids.Add((int)id);
            else if (item.ValueKind != JsonValueKind.Null && !(id < 0))
                notes.Add($"Key '{key}' of {System.IO.Path.GetFileName(Path)} has {Show(item.GetRawText())}, which is no token of the vocabulary of {rows}; it is left out.");
        }
        return [.. ids];
    }

    /// <summary>The text of a JSON string.</summary>
    /// <exception cref="FormatException">It is no string, or not valid text.</exception>
    public string String(JsonElement value, string key) => value.ValueKind != JsonValueKind.String ? throw Wrong(key, "texts")
        : TryString(value) ?? throw new FormatException($"{Path}: key '{key}' holds a string that is not valid text; download the file again.");

    /// <summary>The text of a JSON string; null where it is not UTF-8 or has half of a pair of surrogates.</summary>
    public static string? TryString(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The name of a key whose object is a table.</summary>
    /// <exception cref="FormatException">It is not valid text.</exception>
    public string Name(JsonProperty entry)
    {
        try
        {
            return entry.Name;
        }
        catch (InvalidOperationException e)   // not UTF-8, or a lone surrogate
        {
            throw new FormatException($"{Path}: the file holds a name that is not valid text; download the file again.", e);
        }
    }

    /// <summary>Refuses a text other than those known; absent is fine.</summary>
    public void RequireText(string key, params ReadOnlySpan<string> known)
    {
        if (Text(key) is string value && !known.Contains(value))
            throw new NotSupportedException($"{Path}: key '{key}' is '{Show(value)}'; MambaRT computes {string.Join(" or ", known.ToArray())} only. Choose another checkpoint.");
    }

    /// <summary>Refuses a flag that is set otherwise; absent is fine.</summary>
    public void RequireFlag(string key, bool needed)
    {
        if (Flag(key, needed) != needed)
            throw new NotSupportedException($"{Path}: key '{key}' is {(needed ? "false" : "true")}, a variant that MambaRT does not compute. Choose another checkpoint.");
    }

    /// <summary>Refuses a list that has items or a number above 0; absent is fine.</summary>
    public void RequireNothing(string key, string meaning)
    {
        if (Get(key) is not JsonElement value) return;
        bool nothing = value.ValueKind == JsonValueKind.Array ? value.GetArrayLength() == 0 : value.ValueKind == JsonValueKind.Number && value.GetDouble() == 0;
        if (!nothing) throw new NotSupportedException($"{Path}: key '{key}' is {Show(value.GetRawText())}: the network has {meaning}, which MambaRT does not compute. Choose another checkpoint.");
    }

    /// <summary>Refuses a range other than 0 to infinity; absent is fine.</summary>
    public void RequireUnlimited(string key)
    {
        if (Get(key) is not JsonElement range) return;
        bool unlimited = range.ValueKind == JsonValueKind.Array && range.GetArrayLength() == 2
            && range[0].ValueKind == JsonValueKind.Number && range[0].GetDouble() == 0 && IsInfinity(range[1]);
        if (!unlimited)
            throw new NotSupportedException($"{Path}: key '{key}' is {Show(range.GetRawText())}; MambaRT does not clamp time steps, so it needs 0 to infinity. Choose another checkpoint.");
    }

    /// <summary>Text of a file fit for one line of a message.</summary>
    public static string Show(string text)
    {
        string line = string.Concat(text.Take(100).Select(c => char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? $"\\u{(int)c:x4}" : c.ToString()));
        return text.Length > 100 ? line + "…" : line;
    }

    // transformers writes infinity as {"__float__": "Infinity"}, older versions as the bare word, which is quoted on reading.
    private static bool IsInfinity(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.TryGetProperty("__float__", out JsonElement inner) && IsInfinity(inner),
        JsonValueKind.String => value.ValueEquals("Infinity"),
        JsonValueKind.Number => double.IsPositiveInfinity(value.GetDouble()),
        _ => false,
    };

    private int? TrySize(string key)
    {
        if (Get(key) is not JsonElement value) return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) && size is >= 1 and <= MaxSize ? size
            : throw Wrong(key, $"a whole number from 1 to {MaxSize}");
    }

    private FormatException Wrong(string key, string needed) =>
        new($"{Path}: key '{key}' is {Show(Get(key)?.GetRawText() ?? "null")}; it must be {needed}. Use the file that belongs to the checkpoint.");

    /// <summary>Refuses names with half of a pair of surrogates, at which every look for a key would fail.</summary>
    private static void EnsureNames(byte[] json, string path)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || !reader.ValueIsEscaped) continue;
            try
            {
                reader.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw new FormatException($"{path}: the file holds a name that is not valid text; download the file again.", e);
            }
        }
    }

    /// <summary>Python writes Infinity, -Infinity and NaN bare, which is not JSON: they become strings.</summary>
    private static byte[] QuoteNonNumbers(byte[] json)
    {
        ReadOnlySpan<byte> text = json.AsSpan().StartsWith("\uFEFF"u8) ? json.AsSpan(3) : json;
        var quoted = new MemoryStream(text.Length + 64);
        for (int i = 0; i < text.Length;)
        {
            int length = text[i] == '"' ? StringLength(text[i..]) : NonNumberLength(text[i..]);
            if (length > 0 && text[i] != '"')
            {
                quoted.WriteByte((byte)'"');
                quoted.Write(text.Slice(i, length));
                quoted.WriteByte((byte)'"');
            }
            else quoted.Write(text.Slice(i, length = Math.Max(length, 1)));
            i += length;
        }
        return quoted.ToArray();
    }

    private static int StringLength(ReadOnlySpan<byte> text)
    {
        for (int i = 1; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == '"') return i + 1;
        }
        return text.Length;
    }

    private static int NonNumberLength(ReadOnlySpan<byte> text) =>
        text.StartsWith("Infinity"u8) ? 8 : text.StartsWith("-Infinity"u8) ? 9 : text.StartsWith("NaN"u8) ? 3 : 0;
}
