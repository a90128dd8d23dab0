namespace MambaRT.Formats;

/// <summary>Remembers the tokens of short words: natural text repeats them.</summary>
/// <remarks>
/// Direct mapped, so bounded: a word replaces the one in its place. Entries never change once published, so threads may
/// share the cache; a lost race costs one encoding.
/// </remarks>
internal sealed class WordCache
{
    /// <summary>Longest word kept, in UTF-16 units.</summary>
    public const int MaxWord = 24;

    private const int Size = 1 << 14;

    private readonly Entry?[] _entries = new Entry?[Size];

    public bool TryGet(ReadOnlySpan<char> word, out ReadOnlySpan<int> tokens)
    {
        Entry? entry = Volatile.Read(ref _entries[Place(word)]);
        bool found = entry is not null && word.SequenceEqual(entry.Word);
        tokens = found ? entry!.Tokens : default;   // found says that there is an entry
        return found;
    }

    public void Set(ReadOnlySpan<char> word, ReadOnlySpan<int> tokens) =>
        Volatile.Write(ref _entries[Place(word)], new Entry(word.ToString(), tokens.ToArray()));

    private static int Place(ReadOnlySpan<char> word) => string.GetHashCode(word) & (Size - 1);

    private sealed record Entry(string Word, int[] Tokens);
}
