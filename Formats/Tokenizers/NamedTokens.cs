namespace MambaRT.Formats;

/// <summary>The tokens that metadata names by id. An id that is no token's names none, as in llama.cpp: converters write −1 for tokens that a model lacks.</summary>
internal static class NamedTokens
{
    private const string Prefix = "tokenizer.ggml.";

    private static readonly string[] Names = ["bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "unknown_token_id", "padding_token_id"];

    /// <summary>The token, or null where none is named.</summary>
    /// <param name="metadata">Names the tokens by id.</param>
    /// <param name="name">The key without its prefix.</param>
    /// <exception cref="FormatException">The value is not an integer.</exception>
    public static int? Find(GgufMetadata metadata, string name) =>
        metadata.TryGetInteger(Prefix + name) is Int128 id && id >= 0 && id < Count(metadata) ? (int)id : null;

    /// <summary>The keys that are there and name no token, each with its value.</summary>
    public static IEnumerable<string> Unusable(GgufMetadata metadata)
    {
        foreach (string name in Names)
            if (metadata.TryGetInteger(Prefix + name) is Int128 id && Find(metadata, name) is null) yield return $"'{Prefix}{name}' is {id}";
    }

    /// <summary>Number of token ids; 0 where the file does not tell, which its tokenizer refuses.</summary>
    private static int Count(GgufMetadata metadata) =>
        Tokenizer.HasVocabulary(metadata) ? metadata.TryGetStrings(Vocabulary.TokensKey)?.Length ?? 0
            : metadata.TryGetInt32($"{metadata.TryGetString("general.architecture")}.vocab_size") ?? 0;
}
