namespace MambaRT.Formats;

/// <summary>Where a SentencePiece tokenizer puts a space before a text.</summary>
/// <remarks>
/// <c>tokenizer.ggml.add_space_prefix</c> is llama.cpp's key: before a text that begins or follows a special token, whatever it begins with.
/// <c>tokenizer.ggml.prepend_scheme</c> is our own, for what tokenizers' Metaspace does: <c>first</c> at the beginning only, <c>always</c> after special
/// tokens too, and neither before a text that begins with a space.
/// </remarks>
/// <param name="Adds">Whether there is one at all.</param>
/// <param name="Scheme"><see cref="First"/>, <see cref="Always"/>, or null for llama.cpp's way.</param>
internal readonly record struct SpacePrefix(bool Adds, string? Scheme)
{
    /// <summary>At the beginning only.</summary>
    public const string First = "first";

    /// <summary>At the beginning and after special tokens.</summary>
    public const string Always = "always";

    private const string AddsKey = "tokenizer.ggml.add_space_prefix";
    private const string SchemeKey = "tokenizer.ggml.prepend_scheme";

    /// <summary>Reads a file's keys.</summary>
    /// <exception cref="FormatException">The scheme is unknown.</exception>
    public static SpacePrefix Read(GgufMetadata metadata)
    {
        string? scheme = metadata.TryGetString(SchemeKey);
        if (scheme is not (null or First or Always))
            throw new FormatException($"{metadata.Subject}: key '{SchemeKey}' is '{scheme}'; it must be {First} or {Always}. Re-convert the model.");
        return new(metadata.TryGetBool(AddsKey) ?? true, scheme);
    }

    /// <summary>Writes the keys.</summary>
    public void Write(GgufMetadata metadata)
    {
        metadata.Set(AddsKey, Adds);
        if (Adds && Scheme is not null) metadata.Set(SchemeKey, Scheme);
    }

    /// <summary>Whether a space goes before a text.</summary>
    internal bool Precedes(ReadOnlySpan<char> text, TextPlace place) => Adds && place switch
    {
        TextPlace.Beginning => true,
        TextPlace.AfterSpecial => Scheme != First,
        _ => false,
    } && (Scheme is null || text[0] is not (' ' or SentencePiece.Space));
}
