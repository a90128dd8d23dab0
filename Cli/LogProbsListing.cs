using System.Text.Json;

namespace MambaRT.Cli;

/// <summary>How likely the model held each token it picked, and the likeliest ones.</summary>
internal static class LogProbsListing
{
    /// <summary>One line a token.</summary>
    public static void Write(Terminal terminal, List<TokenLogProbs> tokens)
    {
        foreach (TokenLogProbs token in tokens)
            terminal.Note($"{token.Token,8} {Show.Fixed(token.LogProb, 4),9}  '{Show.Text(token.Text)}'   {string.Join("  ", token.Top.Select(top => $"'{Show.Text(top.Text)}' {Show.Fixed(top.LogProb, 4)}"))}");
    }

    /// <summary>An array of objects.</summary>
    public static void Write(JsonOutput json, List<TokenLogProbs> tokens)
    {
        Utf8JsonWriter writer = json.Writer;
        writer.WriteStartArray("tokens");
        foreach (TokenLogProbs token in tokens)
        {
            writer.WriteStartObject();
            WriteToken(json, token.Token, token.Text, token.Bytes.Span, token.LogProb);
            writer.WriteStartArray("top");
            foreach (TokenLogProb top in token.Top)
            {
                writer.WriteStartObject();
                WriteToken(json, top.Token, top.Text, top.Bytes.Span, top.LogProb);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    /// <summary>The bytes are there always: only they join to the text where a token is a part of a character.</summary>
    private static void WriteToken(JsonOutput json, int token, string text, ReadOnlySpan<byte> bytes, float logProb)
    {
        json.Writer.WriteNumber("id", token);
        json.Writer.WriteString("text", text);
        json.Bytes("bytes", bytes);
        json.Number("logprob", logProb);
    }
}
