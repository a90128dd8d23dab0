using MambaRT.Bench;

namespace MambaRT.Cli;

/// <summary>What a generation took: speed, time to the first token, memory.</summary>
internal static class Report
{
    /// <summary>One line for people.</summary>
    public static string Line(GenerationStats stats, uint seed) => stats is { PromptTokens: 0, GeneratedTokens: 0, Reason: StopReason.Cancelled }
        ? $"stopped within the prompt, peak memory {Show.Bytes(ProcessMemory.Peak)}, seed {seed}"
        : $"prompt {Show.Count(stats.PromptTokens)} tokens at {Show.Fixed(stats.PromptTokensPerSecond, 1)}/s{(stats.CachedTokens > 0 ? $" after {Show.Count(stats.CachedTokens)} known" : "")}, "
        + $"generated {Show.Count(stats.GeneratedTokens)} at {Show.Fixed(stats.GenerationTokensPerSecond, 1)}/s, "
        + $"first token after {Show.Fixed(stats.FirstToken.TotalMilliseconds, 0)} ms, peak memory {Show.Bytes(ProcessMemory.Peak)}, seed {seed}";

    /// <summary>Writes the same as members of a JSON object.</summary>
    public static void Write(JsonOutput json, GenerationStats stats, uint seed)
    {
        json.Writer.WriteString("stop", Reason(stats.Reason));
        json.Writer.WriteNumber("prompt_tokens", stats.PromptTokens);
        json.Writer.WriteNumber("cached_tokens", stats.CachedTokens);
        json.Writer.WriteNumber("generated_tokens", stats.GeneratedTokens);
        json.Number("prompt_tokens_per_second", Math.Round(stats.PromptTokensPerSecond, 2));
        json.Number("generated_tokens_per_second", Math.Round(stats.GenerationTokensPerSecond, 2));
        json.Number("first_token_milliseconds", Math.Round(stats.FirstToken.TotalMilliseconds, 2));
        json.Writer.WriteNumber("peak_memory_bytes", ProcessMemory.Peak);
        json.Writer.WriteNumber("seed", seed);
    }

    private static string Reason(StopReason reason) => reason switch
    {
        StopReason.EndOfGeneration => "end",
        StopReason.StopString => "stop",
        StopReason.MaxTokens => "length",
        _ => "cancelled",
    };
}
