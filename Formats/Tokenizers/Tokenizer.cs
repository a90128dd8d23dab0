namespace MambaRT.Formats;

/// <summary>Makes the tokenizer that a model's metadata describes.</summary>
public static class Tokenizer
{
    private const string ModelKey = "tokenizer.ggml.model";

    /// <summary>Reads <c>tokenizer.ggml.*</c> and builds the tokenizer named by <c>tokenizer.ggml.model</c>.</summary>
    /// <param name="metadata">Metadata of a GGUF file; not kept.</param>
    /// <returns>Byte-level BPE for <c>gpt2</c>, SentencePiece BPE for <c>llama</c>, token ids only for <c>no_vocab</c>.</returns>
    /// <exception cref="FormatException">A key is missing, has a wrong type, or contradicts another one.</exception>
    /// <exception cref="NotSupportedException">The tokenizer's model or pre-tokenizer is not one of those known.</exception>
    /// <remarks>Meaning of keys and defaults: llama.cpp, <c>llama_vocab::impl::load</c>; differences are stated where they are.</remarks>
    public static ITokenizer Create(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        string model = metadata.GetString(ModelKey);
        return model switch
        {
            "gpt2" => new BytePair(metadata),
            "llama" => new SentencePiece(metadata),
            "no_vocab" or "none" => new TokenIds(metadata),
            _ => throw new NotSupportedException(
                $"{metadata.Subject}: key '{ModelKey}' is '{model}'; known tokenizers are gpt2, llama, no_vocab. Convert a model with one of these."),
        };
    }

    /// <summary>The pre-tokenizer that is taken, as llama.cpp takes it, for a file whose tokenizer needs one and that names none; null for every other file.</summary>
    /// <remarks>Files of before spring 2024 lack the name, whatever their pre-tokenizer was.</remarks>
    public static string? GuessedPreTokenizer(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return metadata.TryGetString(ModelKey) == "gpt2" && string.IsNullOrEmpty(metadata.TryGetString(PreTokenizer.Key)) ? PreTokenizer.Guessed : null;
    }

    /// <summary>In a sentence, the keys of special tokens whose ids are no token's, and which are therefore taken as not there; null where there are none.</summary>
    /// <exception cref="FormatException">A value is not an integer.</exception>
    public static string? UnusableTokens(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        string[] keys = [.. NamedTokens.Unusable(metadata)];
        return keys.Length == 0 ? null : $"{metadata.Subject}: key {string.Join(", key ", keys)}; there is no such token, so it is taken as if the key were not there, as in llama.cpp.";
    }

    /// <summary>Whether a file's tokenizer has texts for its tokens.</summary>
    internal static bool HasVocabulary(GgufMetadata metadata) => metadata.TryGetString(ModelKey) is not (null or "no_vocab" or "none");

    /// <summary>The first of the names of the pre-tokenizer that <c>tokenizer.ggml.pre</c> names: "gpt-2" for "mpt", which cuts in the same way.</summary>
    /// <exception cref="NotSupportedException">The name is unknown.</exception>
    public static string PreTokenizerFamily(GgufMetadata metadata) => PreTokenizer.Find(metadata.TryGetString(PreTokenizer.Key), metadata.Subject).Family;
}
