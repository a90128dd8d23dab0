namespace MambaRT.Cli;

/// <summary>The model that is used when none is named.</summary>
internal static class DefaultModel
{
    /// <summary>Its file, beside the program.</summary>
    public const string FileName = "mamba-story-25m-q8_0.gguf";
}
