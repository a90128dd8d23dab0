using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MambaRT.Bench;

/// <summary>What was measured of a host as Markdown tables, as they stand in docs/embedding.md.</summary>
public static class HostReport
{
    /// <summary>Writes them.</summary>
    public static string Write(HostRecord run)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{run.Version}; {run.Machine}; {run.Backend}; {run.Model}\n\n");
        text.Append("| conversations | a bare batch, tokens/s | through ModelHost | share |\n|---:|---:|---:|---:|\n");
        foreach (HostDecode d in run.Decodes)
            text.Append(CultureInfo.InvariantCulture, $"| {d.Conversations} | {Text.Rate(d.BatchTokensPerSecond)} | {Text.Rate(d.HostTokensPerSecond)} | {Text.Percent(d.HostTokensPerSecond / d.BatchTokensPerSecond)} |\n");
        HostFirstToken f = run.FirstToken;
        text.Append("\n| first token of | fed | ms |\n|---|---:|---:|\n");
        text.Append(CultureInfo.InvariantCulture, $"| a history of {f.History} tokens and a turn of {f.Turn}, nothing kept | {f.History + f.Turn} | {Text.Fixed(f.UncachedMs, 1)} |\n");
        text.Append(CultureInfo.InvariantCulture, $"| the same after the history was fed once | {f.FedCached} | {Text.Fixed(f.CachedMs, 1)} (1/{Text.Fixed(f.UncachedMs / f.CachedMs, 1)}) |\n");
        HostDelay d8 = run.Delay;
        text.Append("\n| between two tokens of an answer | ms |\n|---|---:|\n");
        text.Append(CultureInfo.InvariantCulture, $"| alone | {Text.Fixed(d8.AloneMs, 2)} |\n");
        text.Append(CultureInfo.InvariantCulture, $"| while a prompt of {d8.Prompt} is read, in chunks of {d8.Chunk} | {Text.Fixed(d8.MedianMs, 1)}, at most {Text.Fixed(d8.LongestMs, 1)} |\n");
        HostFrames h = run.Frames;
        text.Append(CultureInfo.InvariantCulture, $"\n{h.Count} steps of {Text.Fixed(h.BudgetMs, 1)} ms with {h.Conversations} conversations, {Text.Rate(h.TokensPerSecond)} tokens/s; the longest took {Text.Fixed(h.LongestMs, 2)} ms more. A loop that does nothing for as long, run between them, says what the machine adds: {Text.Fixed(h.IdleLongestMs, 2)} ms at most.\n\n");
        text.Append("| longer than its time by | steps | loops |\n|---|---:|---:|\n");
        for (int i = 0; i < h.Parts.Count; i++)
        {
            string what = i == 0 ? "nothing" : i < h.Bounds.Count ? $"at most {h.Bounds[i].ToString(CultureInfo.InvariantCulture)} ms" : $"more than {h.Bounds[^1].ToString(CultureInfo.InvariantCulture)} ms";
            text.Append(CultureInfo.InvariantCulture, $"| {what} | {h.Parts[i]} | {h.IdleParts[i]} |\n");
        }
        return text.ToString();
    }

    /// <summary>Writes the same as one JSON object, without a line break at its end.</summary>
    public static string WriteJson(HostRecord run)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("version", run.Version);
            json.WriteString("machine", run.Machine);
            json.WriteString("backend", run.Backend);
            json.WriteString("model", run.Model);
            json.WriteStartArray("decode");
            foreach (HostDecode d in run.Decodes)
            {
                json.WriteStartObject();
                json.WriteNumber("conversations", d.Conversations);
                json.WriteNumber("batchTokensPerSecond", d.BatchTokensPerSecond);
                json.WriteNumber("hostTokensPerSecond", d.HostTokensPerSecond);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            WriteRest(json, run);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private static void WriteRest(Utf8JsonWriter json, HostRecord run)
    {
        json.WriteStartObject("firstToken");
        json.WriteNumber("history", run.FirstToken.History);
        json.WriteNumber("turn", run.FirstToken.Turn);
        json.WriteNumber("fedCached", run.FirstToken.FedCached);
        json.WriteNumber("cachedMs", run.FirstToken.CachedMs);
        json.WriteNumber("uncachedMs", run.FirstToken.UncachedMs);
        json.WriteEndObject();
        json.WriteStartObject("delay");
        json.WriteNumber("prompt", run.Delay.Prompt);
        json.WriteNumber("chunk", run.Delay.Chunk);
        json.WriteNumber("aloneMs", run.Delay.AloneMs);
        json.WriteNumber("medianMs", run.Delay.MedianMs);
        json.WriteNumber("longestMs", run.Delay.LongestMs);
        json.WriteEndObject();
        json.WriteStartObject("frames");
        json.WriteNumber("count", run.Frames.Count);
        json.WriteNumber("conversations", run.Frames.Conversations);
        json.WriteNumber("budgetMs", run.Frames.BudgetMs);
        json.WriteNumber("tokensPerSecond", run.Frames.TokensPerSecond);
        json.WriteNumber("longestMs", run.Frames.LongestMs);
        json.WriteStartArray("beyondMs");
        foreach (double bound in run.Frames.Bounds) json.WriteNumberValue(bound);
        json.WriteEndArray();
        json.WriteStartArray("steps");
        foreach (int part in run.Frames.Parts) json.WriteNumberValue(part);
        json.WriteEndArray();
        json.WriteNumber("idleLongestMs", run.Frames.IdleLongestMs);
        json.WriteStartArray("idleSteps");
        foreach (int part in run.Frames.IdleParts) json.WriteNumberValue(part);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
