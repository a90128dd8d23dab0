using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Turns a checkpoint's tokenizer files into <c>tokenizer.ggml.*</c>, with its chat template and recommended sampling.</summary>
internal static class TokenizerImport
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>Writes all keys about text; a checkpoint without tokenizer.json becomes a file of token ids only.</summary>
    /// <returns>What a user should know.</returns>
    /// <exception cref="FormatException">The files are damaged or disagree.</exception>
    /// <exception cref="NotSupportedException">The tokenizer is of another kind than byte-level BPE, or cuts text in an unknown way.</exception>
    public static List<string> Write(HubCheckpoint checkpoint, GgufMetadata metadata)
    {
        List<string> notes = [];
        HubConfig? tokenizer = checkpoint.TryRead("tokenizer.json");
        HubConfig? settings = checkpoint.TryRead("tokenizer_config.json");
        HubConfig? generation = checkpoint.TryRead("generation_config.json");
        int rows = checkpoint.Config.Size("vocab_size");
        if (tokenizer is null)
        {
            if (File.Exists(Path.Combine(checkpoint.Directory, "tokenizer.model")))
                throw new NotSupportedException($"{checkpoint.Directory}: the tokenizer is a SentencePiece file (tokenizer.model), which MambaRT does not convert; save it as tokenizer.json of byte-level BPE.");
            metadata.Set(Prefix + "model", "no_vocab");
            notes.Add("There is no tokenizer.json: the file has no vocabulary and takes token ids only.");
            WriteStops(checkpoint.Config, null, generation, rows, metadata);
        }
        else
        {
            var vocabulary = new VocabularyImport(tokenizer, rows);
            metadata.Set(Prefix + "model", "gpt2");
            metadata.Set(Prefix + "pre", PreTokenizerImport.Name(tokenizer));
            vocabulary.Write(metadata);
            if (vocabulary.Padding > 0)
                notes.Add($"The embedding has {vocabulary.Padding} rows more than the tokenizer has tokens; they are named [PAD…] and marked unused.");
            if (PreTokenizerImport.Normalizer(tokenizer) is string normalizer)
                notes.Add($"The tokenizer normalizes text ({normalizer}), which GGUF cannot express: text is taken as it comes.");
            WriteStops(checkpoint.Config, vocabulary.Id(settings, "eos_token"), generation, rows, metadata);
            WriteAdded(settings, metadata);
            Tokenizer.Create(metadata);   // refuses what a reader of the file would refuse
        }
        if (ChatTemplate(checkpoint, settings) is string template) metadata.Set("tokenizer.chat_template", template);
        if (generation is not null) WriteSampling(generation, metadata);
        return notes;
    }

    /// <summary>Ends of text: config.json names the main one; what else ends a generation is the end of a turn, then of a message.</summary>
    private static void WriteStops(HubConfig config, int? settingsEos, HubConfig? generation, int rows, GgufMetadata metadata)
    {
        List<int> ends = [.. config.Ids("eos_token_id"), .. generation?.Ids("eos_token_id") ?? []];
        if (settingsEos is int id) ends.Add(id);
        string[] keys = ["eos_token_id", "eot_token_id", "eom_token_id"];
        foreach ((string key, int end) in keys.Zip(ends.Distinct())) Set(key, end);
        foreach (int bos in config.Ids("bos_token_id").Take(1)) Set("bos_token_id", bos);
        foreach (int padding in config.Ids("pad_token_id").Take(1)) Set("padding_token_id", padding);

        void Set(string key, int token) => metadata.Set(Prefix + key, token < rows ? (uint)token
            : throw new FormatException($"{config.Path}: token {token}, the {key} of this or a neighbouring file, is outside the vocabulary of {rows}; use the files that belong to the checkpoint."));
    }

    private static void WriteAdded(HubConfig? settings, GgufMetadata metadata)
    {
        bool hasBos = metadata.Contains(Prefix + "bos_token_id"), hasEos = metadata.Contains(Prefix + "eos_token_id");
        metadata.Set(Prefix + "add_bos_token", hasBos && (settings?.Flag("add_bos_token", missing: false) ?? false));
        metadata.Set(Prefix + "add_eos_token", hasEos && (settings?.Flag("add_eos_token", missing: false) ?? false));
    }

    /// <summary>The template, from its own file or from tokenizer_config.json, where it may be one of a named list.</summary>
    private static string? ChatTemplate(HubCheckpoint checkpoint, HubConfig? settings)
    {
        string path = Path.Combine(checkpoint.Directory, "chat_template.jinja");
        if (File.Exists(path)) return File.ReadAllText(path);
        if (settings?.Get("chat_template") is not JsonElement template) return null;
        if (template.ValueKind != JsonValueKind.Array) return settings.String(template, "chat_template");
        foreach (JsonElement item in template.EnumerateArray())
            if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String
                && name.ValueEquals("default") && item.TryGetProperty("template", out JsonElement text)) return settings.String(text, "chat_template");
        return null;
    }

    private static void WriteSampling(HubConfig generation, GgufMetadata metadata)
    {
        if (!generation.Flag("do_sample", missing: true)) return;
        if (generation.Number("temperature") is float temperature) metadata.Set("general.sampling.temp", temperature);
        if (generation.Number("top_p") is float topP) metadata.Set("general.sampling.top_p", topP);
        if (generation.Get("top_k") is not null) metadata.Set("general.sampling.top_k", generation.Size("top_k"));
    }
}
