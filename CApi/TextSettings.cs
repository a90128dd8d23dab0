namespace MambaRT.CApi;

/// <summary>How far text goes, as C has it, and what became of it.</summary>
internal static unsafe class TextSettings
{
    /// <summary>From C.</summary>
    public static GenerationOptions Of(TextOptionsLayout* options)
    {
        TextOptionsLayout taken = Arguments.Take(options, TextOptionsLayout.Defaults, "mrt_text_options_init");
        var stop = new List<string>();
        foreach (nint text in Arguments.Values((nint*)taken.Stop, taken.StopCount, "stop")) stop.Add(Arguments.Text((byte*)text, "stop"));
        return new GenerationOptions { MaxTokens = taken.MaxTokens, Stop = stop, IgnoreEos = taken.IgnoreEnd != 0 };
    }

    /// <summary>A chat template by its name, or the model's own.</summary>
    public static ChatTemplate Template(Model model, string? name) => name is null ? ChatTemplates.For(model)
        : ChatTemplates.Named(name) ?? throw new StatusException(Status.Argument, $"There is no chat template '{name}'; there are {string.Join(", ", ChatTemplates.Names)}.");

    /// <summary>For C.</summary>
    public static void Fill(TextStatsLayout* place, GenerationStats stats) => Arguments.Fill(place, new TextStatsLayout
    {
        Stop = stats.Reason switch { StopReason.EndOfGeneration => 1, StopReason.StopString => 2, StopReason.MaxTokens => 3, StopReason.Cancelled => 4, _ => 0 },
        PromptTokens = stats.PromptTokens, GeneratedTokens = stats.GeneratedTokens,
        PromptMicroseconds = (long)stats.Prompt.TotalMicroseconds, GenerationMicroseconds = (long)stats.Generation.TotalMicroseconds, CachedTokens = stats.CachedTokens,
    }, "sizeof(mrt_text_stats)");
}
