namespace MambaRT.Formats;

/// <summary>The begin and end tokens that metadata names, and the others that end a generation.</summary>
internal sealed class StopTokens
{
    private const string AddBosKey = "tokenizer.ggml.add_bos_token";
    private const string AddEosKey = "tokenizer.ggml.add_eos_token";

    // Spellings by which converters leave end-of-turn and end-of-text tokens unnamed; the first found is the end of turn.
    private static readonly string[] TurnEnds = ["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<EOT>", "<｜end▁of▁sentence｜>"];
    private static readonly string[] OtherEnds = ["<|end_of_text|>", "<|eom_id|>", "<|return|>", "<end_of_utterance>", "[EOT]", "[EOS]", "</s>"];

    private readonly HashSet<int> _ends = [];

    /// <param name="metadata">Names the tokens by id.</param>
    /// <param name="bos">Beginning of text where metadata has none, or −1.</param>
    /// <param name="eos">End of text where metadata has none, or −1.</param>
    /// <param name="addBos">Whether a text begins with the former where metadata is silent.</param>
    /// <exception cref="FormatException">An id is not an integer, or a token is to be added that there is none of.</exception>
    public StopTokens(GgufMetadata metadata, int bos, int eos, bool addBos)
    {
        Bos = NamedTokens.Find(metadata, "bos_token_id") ?? bos;
        Eos = NamedTokens.Find(metadata, "eos_token_id") ?? eos;
        Eot = NamedTokens.Find(metadata, "eot_token_id") ?? -1;
        Unknown = NamedTokens.Find(metadata, "unknown_token_id") ?? -1;
        int eom = NamedTokens.Find(metadata, "eom_token_id") ?? -1;
        AddBos = Adds(metadata, AddBosKey, Bos, addBos);
        AddEos = Adds(metadata, AddEosKey, Eos, false);
        AddEnds(Eos, Eot, eom);
    }

    public int Bos { get; }

    public int Eos { get; }

    public int Eot { get; private set; }

    public int Unknown { get; private set; }

    public bool AddBos { get; }

    public bool AddEos { get; }

    public bool IsEnd(int token) => _ends.Contains(token);

    /// <summary>Finds what metadata left unnamed: the unknown token by its kind, and ends among control and user-defined tokens by their spelling (llama.cpp, special_eog_ids); normal tokens stay words whatever they spell.</summary>
    /// <remarks>Unlike llama.cpp, markers of fill-in-the-middle end nothing, and the end of turn does not depend on a hash table's order.</remarks>
    public void Complete(Vocabulary vocabulary)
    {
        int best = TurnEnds.Length;
        for (int token = 0; token < vocabulary.Count; token++)
        {
            if (vocabulary.Kind(token) == TokenKind.Unknown && Unknown < 0) Unknown = token;
            if (vocabulary.Kind(token) is not (TokenKind.Control or TokenKind.UserDefined)) continue;
            int turnEnd = Array.IndexOf(TurnEnds, vocabulary.Spelling(token));
            if (turnEnd < 0 && Array.IndexOf(OtherEnds, vocabulary.Spelling(token)) < 0) continue;
            AddEnds(token);
            if (turnEnd < 0 || turnEnd >= best || (best == TurnEnds.Length && Eot >= 0)) continue;
            best = turnEnd;
            Eot = token;
        }
    }

    private static bool Adds(GgufMetadata metadata, string key, int token, bool absent)
    {
        bool? stated = metadata.TryGetBool(key);
        if (stated == true && token < 0)
            throw new FormatException($"{metadata.Subject}: key '{key}' is true, but no such token is named; its id is needed. Re-convert the model.");
        return token >= 0 && (stated ?? absent);
    }

    private void AddEnds(params ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if (token >= 0) _ends.Add(token);
        }
    }
}
