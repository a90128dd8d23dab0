namespace MambaRT.Evaluation;

/// <summary>A text cut into windows of one length, side by side; what is left at the end is not used.</summary>
/// <remarks>Each window starts from the zero state, so its first token is fed and not scored. Immutable.</remarks>
public sealed class TokenWindows
{
    private readonly int[] _tokens;

    /// <summary>Cuts a text.</summary>
    /// <param name="tokens">The text; kept, not copied.</param>
    /// <param name="length">Tokens of a window, at least 2.</param>
    /// <exception cref="ArgumentException">The length is below 2, or there are fewer tokens than that.</exception>
    public TokenWindows(int[] tokens, int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 2);
        if (tokens.Length < length)
            throw new ArgumentException($"The text has {tokens.Length} tokens and a window {length}; use a longer text or shorter windows.", nameof(tokens));
        _tokens = tokens;
        Length = length;
    }

    /// <summary>Tokens of a window.</summary>
    public int Length { get; }

    /// <summary>Tokens of the whole text.</summary>
    public int TextLength => _tokens.Length;

    /// <summary>How many windows there are.</summary>
    public int Count => _tokens.Length / Length;

    /// <summary>Tokens scored in all windows together.</summary>
    public long Scored => (long)Count * (Length - 1);

    /// <summary>The tokens of a window.</summary>
    public ReadOnlySpan<int> this[int window] => _tokens.AsSpan(window * Length, Length);
}
