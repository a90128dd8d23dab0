using System.Text.Json;

namespace MambaRT.Chat;

/// <summary>What is saved of a chat beside the state of its session, as JSON in the snapshot's attachment.</summary>
/// <param name="Messages">The turns: at most one of the system, then pairs of user and assistant.</param>
/// <param name="Absorbed">The text that the state has absorbed.</param>
/// <param name="History">The last tokens fed, for samplers that look back.</param>
/// <param name="Places">Where it stood before each turn of the user; empty in files of earlier versions.</param>
internal sealed record ChatRecord(ChatMessage[] Messages, PromptPart[] Absorbed, int[] History, ChatPlace[] Places)
{
    /// <summary>How many tokens of history are saved.</summary>
    public const int MaxHistory = 4096;

    private const string Format = "mambart-chat";
    private const int Version = 1;

    /// <summary>Writes the JSON.</summary>
    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("format", Format);
            json.WriteNumber("version", Version);
            json.WriteStartArray("messages");
            foreach (ChatMessage message in Messages)
            {
                json.WriteStartObject();
                json.WriteString("role", message.Role);
                json.WriteString("content", message.Content);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartArray("absorbed");
            foreach (PromptPart part in Absorbed)
            {
                json.WriteStartObject();
                json.WriteBoolean("content", part.IsContent);
                json.WriteString("text", part.Text);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartArray("history");
            foreach (int token in History) json.WriteNumberValue(token);
            json.WriteEndArray();
            json.WriteStartArray("places");
            foreach (ChatPlace place in Places)
            {
                json.WriteStartObject();
                json.WriteNumber("tokens", place.Tokens);
                json.WriteNumber("pending", place.Pending);
                json.WriteNumber("characters", place.Characters);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    /// <summary>Reads and checks the whole JSON.</summary>
    /// <param name="bytes">The attachment.</param>
    /// <param name="vocabulary">How many tokens there are.</param>
    /// <param name="subject">The file's name, for messages.</param>
    /// <exception cref="FormatException">It is not a chat, of another version, or contradicts itself.</exception>
    public static ChatRecord Parse(ReadOnlyMemory<byte> bytes, int vocabulary, string subject)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            JsonElement root = document.RootElement;
            if (root.GetProperty("format").GetString() != Format || Number(root.GetProperty("version")) != Version)
                throw Damaged(subject, "is not a chat of a known version");
            var messages = new List<ChatMessage>();
            foreach (JsonElement item in root.GetProperty("messages").EnumerateArray())
                messages.Add(new ChatMessage(Text(item, "role"), Text(item, "content")));
            var absorbed = new List<PromptPart>();
            foreach (JsonElement item in root.GetProperty("absorbed").EnumerateArray())
                absorbed.Add(new PromptPart(Text(item, "text"), item.GetProperty("content").GetBoolean()));
            var history = new List<int>();
            foreach (JsonElement item in root.GetProperty("history").EnumerateArray()) history.Add(Number(item));
            var places = new List<ChatPlace>();
            if (root.TryGetProperty("places", out JsonElement all))
                foreach (JsonElement item in all.EnumerateArray())
                    places.Add(new ChatPlace(Number(item.GetProperty("tokens")), Number(item.GetProperty("pending")), Number(item.GetProperty("characters"))));
            var record = new ChatRecord([.. messages], [.. absorbed], [.. history], [.. places]);
            record.Check(vocabulary, subject);
            return record;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException($"{subject}: the chat beside the saved state cannot be read: {error.Message} Choose a file written by a chat's save.", error);
        }
    }

    private static string Text(JsonElement item, string name) =>
        item.GetProperty(name).GetString() ?? throw new KeyNotFoundException($"'{name}' is null.");

    private static int Number(JsonElement item) =>
        item.TryGetInt32(out int number) ? number : throw new KeyNotFoundException($"{item.GetRawText()} is no 32-bit integer.");

    private void Check(int vocabulary, string subject)
    {
        int first = Messages.Length > 0 && Messages[0].Role == "system" ? 1 : 0;
        if ((Messages.Length - first) % 2 != 0) throw Damaged(subject, "has a turn without an answer");
        for (int i = first; i < Messages.Length; i++)
            if (Messages[i].Role != ((i - first) % 2 == 0 ? "user" : "assistant")) throw Damaged(subject, $"has the role '{Messages[i].Role}' at turn {i}");
        for (int i = 0; i < Absorbed.Length; i++)
            if (Absorbed[i].Text.Length == 0 || (i > 0 && Absorbed[i].IsContent == Absorbed[i - 1].IsContent)) throw Damaged(subject, $"has an impossible text at place {i}");
        if (History.Length > MaxHistory) throw Damaged(subject, $"has {History.Length} tokens of history; at most {MaxHistory} are saved");
        foreach (int token in History)
            if ((uint)token >= (uint)vocabulary) throw Damaged(subject, $"names token {token} of a vocabulary of {vocabulary}");
        if (Places.Length > 0 && Places.Length != (Messages.Length - first) / 2) throw Damaged(subject, $"has {Places.Length} places for {(Messages.Length - first) / 2} turns");
        int tokens = 0, characters = PromptPart.Characters(Absorbed);
        foreach (ChatPlace place in Places)
        {
            if (place == ChatPlace.Unknown) continue;
            if (place.Tokens < tokens || place.Tokens > History.Length || place.Pending < -1 || place.Pending >= vocabulary || (uint)place.Characters > (uint)characters || place.Tokens == 0 != (place.Characters == 0))
                throw Damaged(subject, $"has an impossible place: {place.Tokens} tokens, {place.Characters} characters, token {place.Pending}");
            tokens = place.Tokens;   // never less than before
        }
    }

    private static FormatException Damaged(string subject, string what) => new($"{subject}: the chat beside the saved state {what}. Choose a file written by a chat's save.");
}
