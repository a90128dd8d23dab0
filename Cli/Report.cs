using System.Diagnostics;

namespace MambaRT.Cli;

/// <summary>What a generation took: speed, time to the first token, memory.</summary>
internal static class Report
{
    /// <summary>Writes one line for people.</summary>
    public static void Write(Terminal terminal, GenerationStats stats, uint seed)
    {
        if (terminal.OutIsTerminal) terminal.Note("");
        terminal.Note($"prompt {Show.Count(stats.PromptTokens)} tokens at {Show.Fixed(Rate(stats.PromptTokens, stats.Prompt), 1)}/s, "
            + $"generated {Show.Count(stats.GeneratedTokens)} at {Show.Fixed(Rate(stats.GeneratedTokens, stats.Generation), 1)}/s, "
            + $"first token after {Show.Fixed(stats.FirstToken.TotalMilliseconds, 0)} ms, peak memory {Show.Bytes(PeakMemory())}, seed {seed}");
    }

    /// <summary>Writes the same as members of a JSON object.</summary>
    public static void Write(JsonOutput json, GenerationStats stats, uint seed)
    {
        json.Writer.WriteString("stop", stats.StopReason.ToString().ToLowerInvariant());
        json.Writer.WriteNumber("prompt_tokens", stats.PromptTokens);
        json.Writer.WriteNumber("generated_tokens", stats.GeneratedTokens);
        json.Number("prompt_tokens_per_second", Math.Round(Rate(stats.PromptTokens, stats.Prompt), 2));
        json.Number("generated_tokens_per_second", Math.Round(Rate(stats.GeneratedTokens, stats.Generation), 2));
        json.Number("first_token_milliseconds", Math.Round(stats.FirstToken.TotalMilliseconds, 2));
        json.Writer.WriteNumber("peak_memory_bytes", PeakMemory());
        json.Writer.WriteNumber("seed", seed);
    }

    private static double Rate(int tokens, TimeSpan time) => time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;

    private static long PeakMemory()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
