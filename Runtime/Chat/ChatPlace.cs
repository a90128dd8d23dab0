namespace MambaRT.Chat;

/// <summary>Where a saved chat stood before a turn of the user, as a part of where it stands: all that was fed before is its beginning.</summary>
/// <param name="Tokens">Tokens that were fed; -1 where it is not known.</param>
/// <param name="Pending">The token that the answer before left unfed, or -1.</param>
/// <param name="Characters">Of the text that the state had absorbed.</param>
internal readonly record struct ChatPlace(int Tokens, int Pending, int Characters)
{
    /// <summary>Going back to it feeds the conversation anew.</summary>
    public static ChatPlace Unknown { get; } = new(-1, -1, 0);
}
