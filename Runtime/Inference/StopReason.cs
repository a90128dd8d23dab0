namespace MambaRT;

/// <summary>Why a run of generation ended.</summary>
public enum StopReason
{
    /// <summary>It has not ended, or ended by an exception.</summary>
    None,

    /// <summary>The model picked a token that ends a text or a turn.</summary>
    EndOfGeneration,

    /// <summary>A stop string was found.</summary>
    StopString,

    /// <summary>As many tokens as allowed were generated.</summary>
    MaxTokens,

    /// <summary>It was cancelled, or its reader stopped reading.</summary>
    Cancelled,
}
