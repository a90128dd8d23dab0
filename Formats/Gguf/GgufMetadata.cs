namespace MambaRT.Formats;

/// <summary>The key–value part of a GGUF file, with typed access; errors name the file, the key, the type found and the type needed.</summary>
/// <remarks>Keeps the order of insertion. Reading is safe from several threads once nothing is set any more.</remarks>
public sealed class GgufMetadata
{
    private readonly OrderedDictionary<string, GgufValue> _entries = new(StringComparer.Ordinal);

    /// <summary>Empty metadata of <paramref name="subject"/> (a file's path, for messages).</summary>
    public GgufMetadata(string subject) => Subject = subject;

    /// <summary>What errors are about: a file's path, or a description.</summary>
    public string Subject { get; }

    /// <summary>All entries in file order.</summary>
    public IReadOnlyList<KeyValuePair<string, GgufValue>> Entries => _entries;

    /// <summary>Adds or replaces an entry; see <see cref="GgufValue.Of"/> for the types.</summary>
    public void Set(string key, object value) => _entries[key] = GgufValue.Of(value);

    /// <summary>Adds or replaces an entry by one taken from other metadata.</summary>
    public void Set(string key, GgufValue value) => _entries[key] = value;

    /// <summary>Adds an entry as read from a file.</summary>
    /// <returns>False when the key is already there.</returns>
    internal bool TryAdd(string key, GgufValue value) => _entries.TryAdd(key, value);

    /// <summary>Removes an entry if it is there.</summary>
    public void Remove(string key) => _entries.Remove(key);

    /// <summary>Whether the key is there.</summary>
    public bool Contains(string key) => _entries.ContainsKey(key);

    /// <summary>Finds an entry of any type.</summary>
    public bool TryGet(string key, out GgufValue value) => _entries.TryGetValue(key, out value);

    /// <summary>A string that must be there.</summary>
    public string GetString(string key) => TryGetString(key) ?? throw Missing(key, "a string");

    /// <summary>A string, or null when the key is absent.</summary>
    public string? TryGetString(string key) =>
        !TryGet(key, out GgufValue v) ? null : v.Value as string ?? throw WrongType(key, v, "a string");

    /// <summary>An integer that must be there, of any integer type, within <paramref name="min"/> to <paramref name="max"/>.</summary>
    public int GetInt32(string key, int min = 0, int max = int.MaxValue) => TryGetInt32(key, min, max) ?? throw Missing(key, "an integer");

    /// <summary>An integer of any integer type within <paramref name="min"/> to <paramref name="max"/>, or null when the key is absent.</summary>
    public int? TryGetInt32(string key, int min = int.MinValue, int max = int.MaxValue)
    {
        if (TryGetInteger(key) is not Int128 value) return null;
        return value >= min && value <= max ? (int)value
            : throw new FormatException($"{Subject}: key '{key}' is {value}; it must be between {min} and {max}. Re-convert the model.");
    }

    /// <summary>An integer of any integer type, or null when the key is absent.</summary>
    internal Int128? TryGetInteger(string key)
    {
        if (!TryGet(key, out GgufValue v)) return null;
        return v.Value switch
        {
            byte x => x, sbyte x => x, ushort x => x, short x => x, uint x => x, int x => x, ulong x => x, long x => x,
            _ => throw WrongType(key, v, "an integer"),
        };
    }

    /// <summary>A float that must be there.</summary>
    public float GetFloat(string key) => TryGetFloat(key) ?? throw Missing(key, "a float");

    /// <summary>A float32 or float64, finite, or null when the key is absent.</summary>
    public float? TryGetFloat(string key)
    {
        if (!TryGet(key, out GgufValue v)) return null;
        float value = v.Value switch { float x => x, double x => (float)x, _ => throw WrongType(key, v, "a float") };
        return float.IsFinite(value) ? value : throw new FormatException($"{Subject}: key '{key}' is {value}; it must be a finite number. Re-convert the model.");
    }

    /// <summary>A number of any type, or null when the key is absent.</summary>
    public double? TryGetNumber(string key)
    {
        if (!TryGet(key, out GgufValue v)) return null;
        return v.Value switch
        {
            byte x => x, sbyte x => x, ushort x => x, short x => x, uint x => x, int x => x, ulong x => x, long x => x, float x => x, double x => x,
            _ => throw WrongType(key, v, "a number"),
        };
    }

    /// <summary>A bool, or null when the key is absent.</summary>
    public bool? TryGetBool(string key) =>
        !TryGet(key, out GgufValue v) ? null : v.Value is bool x ? x : throw WrongType(key, v, "a bool");

    /// <summary>An array of strings, or null when the key is absent.</summary>
    public string[]? TryGetStrings(string key) =>
        !TryGet(key, out GgufValue v) ? null : v.Value as string[] ?? throw WrongType(key, v, "an array of strings");

    /// <summary>An array of float32, or null when the key is absent.</summary>
    public float[]? TryGetFloats(string key) =>
        !TryGet(key, out GgufValue v) ? null : v.Value as float[] ?? throw WrongType(key, v, "an array of float32");

    /// <summary>An array of 32-bit integers, or null when the key is absent.</summary>
    public int[]? TryGetInt32s(string key)
    {
        if (!TryGet(key, out GgufValue v)) return null;
        return v.Value switch
        {
            int[] x when v.ElementType == GgufValueType.Int32 => x,
            uint[] x => Array.ConvertAll(x, value => value <= int.MaxValue ? (int)value
                : throw new FormatException($"{Subject}: key '{key}' has the element {value}, more than {int.MaxValue}. Re-convert the model.")),
            _ => throw WrongType(key, v, "an array of 32-bit integers"),
        };
    }

    private FormatException Missing(string key, string needed) =>
        new($"{Subject}: key '{key}' is missing; {needed} is needed. Re-convert the model.");

    private FormatException WrongType(string key, GgufValue found, string needed) =>
        new($"{Subject}: key '{key}' is {(found.Type == GgufValueType.Array ? $"an array of {found.ElementType}" : $"a {found.Type}")}; {needed} is needed. Re-convert the model.");
}
