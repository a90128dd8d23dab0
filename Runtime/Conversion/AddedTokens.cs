using System.Globalization;
using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>The tokens that were added to a vocabulary, wherever a folder lists them, and those that its settings name as special.</summary>
/// <remarks>
/// Later files win: added_tokens.json, tokenizer.json, added_tokens_decoder of tokenizer_config.json. Sources: transformers,
/// tokenization_utils_base.py (_from_pretrained); llama.cpp, conversion of SentencePiece vocabularies.
/// </remarks>
internal sealed class AddedTokens
{
    private static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly List<AddedToken> _tokens = [];
    private readonly Dictionary<string, TokenMatching> _named = new(StringComparer.Ordinal);   // as special, with or without an id
    private readonly Dictionary<string, string> _roles = new(StringComparer.Ordinal);

    /// <summary>Reads what a folder holds.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="settings">tokenizer_config.json, if there is one.</param>
    /// <param name="tokenizer">tokenizer.json, if there is one.</param>
    /// <exception cref="FormatException">A file is damaged.</exception>
    public static AddedTokens Read(string folder, HubConfig? settings, HubConfig? tokenizer)
    {
        var added = new AddedTokens();
        if (HubConfig.TryRead(Path.Combine(folder, "added_tokens.json")) is HubConfig list) added.ReadList(list);
        if (tokenizer is not null) added.ReadTokenizer(tokenizer);
        if (settings is not null) added.ReadDecoder(settings);
        if (settings is not null) added.ReadNames(settings);
        if (HubConfig.TryRead(Path.Combine(folder, "special_tokens_map.json")) is HubConfig map) added.ReadNames(map);
        return added;
    }

    /// <summary>Those of a tokenizer.json alone.</summary>
    public static AddedTokens Of(HubConfig tokenizer)
    {
        var added = new AddedTokens();
        added.ReadTokenizer(tokenizer);
        return added;
    }

    /// <summary>The spelling of the token that has a role, "eos_token" for example; null when none has.</summary>
    public string? Named(string role) => _roles.GetValueOrDefault(role);

    /// <summary>Puts the tokens into a table that holds the vocabulary.</summary>
    /// <param name="table">The table.</param>
    /// <param name="isSentencePiece">Whether the vocabulary is SentencePiece's: added tokens may then spell its own anew, and a space is spelled U+2581.</param>
    /// <param name="notes">Takes what a user should know.</param>
    /// <exception cref="FormatException">An id stands for two tokens of one file.</exception>
    public void AddTo(TokenTable table, bool isSentencePiece, List<string> notes)
    {
        List<AddedToken> homeless = [], others = [];
        foreach (AddedToken token in _tokens)
        {
            int kind = token.IsSpecial || _named.ContainsKey(token.Content) || LooksSpecial(token.Content) ? TokenTable.Control : TokenTable.UserDefined;
            string spelling = isSentencePiece && kind == TokenTable.UserDefined ? token.Content.Replace('\u2581', ' ') : token.Content;
            if (token.Id >= table.Rows) homeless.Add(token);
            else if (isSentencePiece) table.Replace(spelling, (int)token.Id, kind, token.Matching);
            else if (token.IsOfVocabulary || table.IsFree((int)token.Id) || table.Find(spelling) == token.Id) table.Add(spelling, token.Id, kind, token.Matching);
            else others.Add(token);
        }
        Note(notes, homeless, $"left out, as the embedding has {table.Rows} rows");
        Note(notes, others, "left out, as the vocabulary has other tokens there");
        Note(notes, AddNamed(table, notes), "named as special without an id, and have the next ones");
    }

    /// <summary>Special tokens that have an id nowhere get the next ones, as transformers does.</summary>
    private List<AddedToken> AddNamed(TokenTable table, List<string> notes)
    {
        List<AddedToken> given = [];
        int next = table.NextId;
        foreach ((string spelling, TokenMatching matching) in _named)
        {
            if (table.Find(spelling) is int id && IsBracketed(spelling)) table.MakeControl(id, matching);
            if (table.Find(spelling) is not null) continue;
            if (next == table.Rows)
            {
                notes.Add($"Special token '{HubConfig.Show(spelling)}' has no id, and the embedding's {table.Rows} rows are all taken; it is left out and will be read as text.");
                continue;
            }
            table.Replace(spelling, next, TokenTable.Control, matching);
            given.Add(new AddedToken(spelling, next++, IsSpecial: true, matching, "", IsOfVocabulary: false));
        }
        return given;
    }

    private static void Note(List<string> notes, List<AddedToken> tokens, string what)
    {
        const int shown = 5;
        if (tokens.Count == 0) return;
        string list = string.Join(", ", tokens.Take(shown).Select(token => $"'{HubConfig.Show(token.Content)}' as {token.Id}"));
        notes.Add($"Added tokens are {what}: {list}{(tokens.Count > shown ? $" and {tokens.Count - shown} more" : "")}.");
    }

    /// <summary>Whether a spelling is a marker's though nothing says that it is special. Source: llama.cpp's converter, does_token_look_special.</summary>
    private static bool LooksSpecial(string spelling) => spelling is "<pad>" or "<mask>" or "<2mass>" or "[@BOS@]"
        || Is(spelling, "<|", "|>") || Is(spelling, "<｜", "｜>") || Is(spelling, "<unused", ">");

    private static bool Is(string spelling, string start, string end) =>
        spelling.Length >= start.Length + end.Length && spelling.StartsWith(start, StringComparison.Ordinal) && spelling.EndsWith(end, StringComparison.Ordinal);

    /// <summary>Whether a spelling is no text of its own: some checkpoints name "!" as padding, which must stay a word.</summary>
    private static bool IsBracketed(string spelling) => Is(spelling, "<", ">") || Is(spelling, "[", "]") || Is(spelling, "{", "}") || Is(spelling, "|", "|");

    private void ReadList(HubConfig file)
    {
        foreach ((string spelling, JsonElement id) in file.Entries())
            _tokens.Add(new AddedToken(spelling, Id(file, spelling, id), IsSpecial: false, TokenMatching.None, file.Path, IsOfVocabulary: false));
    }

    private void ReadTokenizer(HubConfig file)
    {
        if (file.Get("added_tokens") is not JsonElement added) return;
        if (added.ValueKind != JsonValueKind.Array) throw Damaged(file, "added_tokens", "a list");
        foreach (JsonElement token in added.EnumerateArray())
        {
            if (token.ValueKind != JsonValueKind.Object || !token.TryGetProperty("content", out JsonElement content) || !token.TryGetProperty("id", out JsonElement id))
                throw Damaged(file, "added_tokens", "a list of objects with 'id' and 'content'");
            string spelling = file.String(content, "added_tokens");
            _tokens.Add(new AddedToken(spelling, Id(file, spelling, id), Is(token, "special"), Matching(token), file.Path, IsOfVocabulary: true));
        }
    }

    private void ReadDecoder(HubConfig settings)
    {
        foreach ((string key, JsonElement token) in settings.Section("added_tokens_decoder").Entries())
        {
            if (!long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out long id) || token.ValueKind != JsonValueKind.Object || !token.TryGetProperty("content", out JsonElement content))
                throw Damaged(settings, "added_tokens_decoder", "an object of ids with 'content'");
            _tokens.Add(new AddedToken(settings.String(content, "added_tokens_decoder"), id, Is(token, "special"), Matching(token), settings.Path, IsOfVocabulary: false));
        }
    }

    /// <summary>A role is a text, or an object with "content".</summary>
    private void ReadNames(HubConfig settings)
    {
        foreach (string role in Roles)
            if (settings.Get(role) is JsonElement value && Content(settings, value, role) is string spelling && Name(spelling, value)) _roles.TryAdd(role, spelling);
        foreach (string key in (ReadOnlySpan<string>)["additional_special_tokens", "extra_special_tokens"])
        {
            if (settings.Get(key) is not JsonElement more) continue;
            IEnumerable<JsonElement> items = more.ValueKind switch
            {
                JsonValueKind.Array => more.EnumerateArray(),
                JsonValueKind.Object => more.EnumerateObject().Select(item => item.Value),
                _ => throw Damaged(settings, key, "a list of tokens"),
            };
            foreach (JsonElement item in items)
                if (Content(settings, item, key) is string spelling) Name(spelling, item);
        }

        bool Name(string spelling, JsonElement value)
        {
            _named.TryAdd(spelling, value.ValueKind == JsonValueKind.Object ? Matching(value) : TokenMatching.None);
            return true;
        }
    }

    private static string? Content(HubConfig settings, JsonElement value, string key)
    {
        if (value.ValueKind == JsonValueKind.Object && !value.TryGetProperty("content", out value)) return null;
        return value.ValueKind == JsonValueKind.Null ? null : settings.String(value, key);
    }

    private static TokenMatching Matching(JsonElement token) =>
        (Is(token, "lstrip") ? TokenMatching.StripsLeft : TokenMatching.None) | (Is(token, "rstrip") ? TokenMatching.StripsRight : TokenMatching.None)
        | (Is(token, "single_word") ? TokenMatching.SingleWord : TokenMatching.None);

    private static bool Is(JsonElement token, string flag) => token.TryGetProperty(flag, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    private static long Id(HubConfig file, string spelling, JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long id) && id >= 0 ? id
        : throw new FormatException($"{file.Path}: token '{HubConfig.Show(spelling)}' has the id {HubConfig.Show(value.GetRawText())}; a whole number from 0 is needed. Download the file again.");

    private static FormatException Damaged(HubConfig file, string key, string needed) =>
        new($"{file.Path}: key '{key}' is not {needed}; download the file again.");
}
