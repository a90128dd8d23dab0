using System.Globalization;
using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Writes the files about text: tokenizer.json or tokenizer.model, tokenizer_config.json, generation_config.json.</summary>
internal static class TokenizerExport
{
    private const string Ggml = "tokenizer.ggml.";
    private static readonly string[] EndKeys = ["eos_token_id", "eot_token_id", "eom_token_id"];

    /// <summary>Writes what the metadata holds.</summary>
    /// <param name="folder">The folder to write into.</param>
    /// <param name="metadata">Metadata of the model.</param>
    /// <param name="notes">Takes what a user should know.</param>
    public static void Write(string folder, GgufMetadata metadata, List<string> notes)
    {
        if (Tokenizer.UnusableTokens(metadata) is string unusable) notes.Add(unusable);
        string model = metadata.TryGetString(Ggml + "model") ?? "no_vocab";
        bool asJson = model == "gpt2" || BytePairExport.IsSentencePiece(metadata);
        if (asJson && BytePairExport.TryCreate(metadata, notes) is BytePairExport vocabulary)
            ModelExporter.WriteJson(folder, "tokenizer.json", vocabulary.Write);
        else if (model == "llama" && !asJson)
            ModelExporter.WriteFile(folder, "tokenizer.model", stream => stream.Write(Pieces(metadata).ToBytes()));
        else if (!asJson) notes.Add("The file has no vocabulary, so there are no tokenizer files.");
        if (metadata.TryGetStrings(Ggml + "tokens") is string[] tokens) ModelExporter.WriteJson(folder, "tokenizer_config.json", json => WriteSettings(json, metadata, tokens, hasPieces: model == "llama" && !asJson));
        if (HasGeneration(metadata)) ModelExporter.WriteJson(folder, "generation_config.json", json => WriteGeneration(json, metadata, notes));
    }

    /// <summary>Writes the ids of special tokens into an open object.</summary>
    /// <param name="json">The object.</param>
    /// <param name="metadata">Names the tokens.</param>
    /// <param name="ends">How many ends of a text at most; more than one make a list.</param>
    public static void WriteIds(Utf8JsonWriter json, GgufMetadata metadata, int ends)
    {
        if (NamedTokens.Find(metadata, "bos_token_id") is int bos) json.WriteNumber("bos_token_id", bos);
        int[] all = [.. Ends(metadata).Take(ends)];
        if (all.Length == 1) json.WriteNumber("eos_token_id", all[0]);
        else if (all.Length > 1)
        {
            json.WriteStartArray("eos_token_id");
            foreach (int end in all) json.WriteNumberValue(end);
            json.WriteEndArray();
        }
        if (NamedTokens.Find(metadata, "padding_token_id") is int padding) json.WriteNumber("pad_token_id", padding);
    }

    private static IEnumerable<int> Ends(GgufMetadata metadata) =>
        EndKeys.Select(key => NamedTokens.Find(metadata, key)).Where(id => id is not null).Select(id => id!.Value).Distinct();   // filtered

    private static void WriteSettings(Utf8JsonWriter json, GgufMetadata metadata, string[] tokens, bool hasPieces)
    {
        json.WriteString("tokenizer_class", hasPieces ? "LlamaTokenizer" : "PreTrainedTokenizerFast");
        WriteToken("bos_token", "bos_token_id");
        WriteToken("eos_token", "eos_token_id");
        WriteToken("unk_token", "unknown_token_id");
        WriteToken("pad_token", "padding_token_id");
        WriteFlag("add_bos_token");
        WriteFlag("add_eos_token");
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        if (hasPieces) WritePieceSettings(json, metadata, tokens);
        if (metadata.TryGetString("tokenizer.chat_template") is string template) json.WriteString("chat_template", template);

        void WriteToken(string name, string key)
        {
            if (NamedTokens.Find(metadata, key) is int id) json.WriteString(name, tokens[id]);
        }

        void WriteFlag(string name)
        {
            if (metadata.TryGetBool(Ggml + name) is bool flag) json.WriteBoolean(name, flag);
        }
    }

    /// <summary>What a tokenizer.model has no place for, or transformers does not look for there.</summary>
    private static void WritePieceSettings(Utf8JsonWriter json, GgufMetadata metadata, string[] tokens)
    {
        SpacePrefix prefix = SpacePrefix.Read(metadata);
        json.WriteBoolean("add_prefix_space", prefix.Adds);
        json.WriteBoolean("legacy", prefix.Scheme != SpacePrefix.First);
        if (metadata.TryGetInt32s(Ggml + "token_type") is not int[] kinds) return;
        var matchings = new TokenMatchings(metadata, tokens.Length);
        json.WriteStartObject("added_tokens_decoder");
        for (int id = 0; id < tokens.Length; id++)
        {
            if (!BytePairExport.IsAdded(kinds[id])) continue;
            json.WriteStartObject(id.ToString(CultureInfo.InvariantCulture));
            BytePairExport.WriteAdded(json, tokens[id], kinds[id], matchings[id]);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static bool HasGeneration(GgufMetadata metadata) =>
        Ends(metadata).Any() || metadata.Entries.Any(entry => entry.Key.StartsWith(RecommendedSampling.Prefix, StringComparison.Ordinal));

    private static void WriteGeneration(Utf8JsonWriter json, GgufMetadata metadata, List<string> notes)
    {
        WriteIds(json, metadata, ends: EndKeys.Length);
        (RecommendedNumber Number, double? Value)[] numbers = [.. RecommendedSampling.Numbers.Select(number => (number, RecommendedSampling.Find(metadata, number, notes)))];
        string? sequence = RecommendedSampling.FindSequence(metadata, notes);
        if (numbers.All(number => number.Value is null) && sequence is null) return;
        json.WriteBoolean("do_sample", true);
        foreach ((RecommendedNumber number, double? value) in numbers)
        {
            if (value is not double x) continue;
            if (number.IsWhole) json.WriteNumber(number.HubNames[0], (int)x);
            else json.WriteNumber(number.HubNames[0], (float)x);
        }
        if (sequence is not null) json.WriteString(RecommendedSampling.Sequence, sequence);
    }

    private static SentencePieceModel Pieces(GgufMetadata metadata)
    {
        Tokenizer.Create(metadata);   // refuses what does not fit together
        string[] tokens = metadata.TryGetStrings(Ggml + "tokens")!;
        float[] scores = metadata.TryGetFloats(Ggml + "scores")!;   // both found there
        int[]? kinds = metadata.TryGetInt32s(Ggml + "token_type");
        int count = kinds is null ? tokens.Length : TokenTable.CountWithoutPadding(tokens, kinds);
        var model = new SentencePieceModel
        {
            Unknown = NamedTokens.Find(metadata, "unknown_token_id") ?? (kinds is null ? -1 : Array.IndexOf(kinds, TokenTable.Unknown)),
            Bos = NamedTokens.Find(metadata, "bos_token_id") ?? -1,
            Eos = NamedTokens.Find(metadata, "eos_token_id") ?? -1,
            AddsSpacePrefix = metadata.TryGetBool(Ggml + "add_space_prefix") ?? true,
            Normalizer = "identity",
        };
        for (int id = 0; id < count; id++)
        {
            int kind = kinds is null or { Length: 0 } || kinds[id] == 0 ? TokenTable.Normal : kinds[id];
            model.Pieces.Add((kind == TokenTable.UserDefined ? tokens[id].Replace(' ', '\u2581') : tokens[id], scores[id], kind));
        }
        return model;
    }
}
