using MambaRT.Formats;

namespace MambaRT;

/// <summary>Turns a prompt's text into the tokens that a model expects at the beginning or within a sequence.</summary>
public static class PromptTokens
{
    /// <summary>Encodes a text, with the beginning-of-text token in front where the model asks for one.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">The text.</param>
    /// <param name="parseSpecial">Whether the text of control tokens stands for those tokens; never for text that others wrote.</param>
    /// <param name="addBos">Whether the text begins a sequence (<see cref="Session.Position"/> is 0); the token is added once, and only where the file says so.</param>
    /// <returns>The tokens; none for an empty text without a beginning token.</returns>
    /// <exception cref="NotSupportedException">The model has no vocabulary.</exception>
    public static int[] Encode(Model model, ReadOnlySpan<char> text, bool parseSpecial, bool addBos)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Begin(model.Tokenizer, model.Tokenizer.Encode(text, parseSpecial), addBos);
    }

    /// <summary>Puts the beginning-of-text token in front, unless it is there or not asked for.</summary>
    internal static int[] Begin(ITokenizer tokenizer, int[] tokens, bool addBos) =>
        !addBos || !tokenizer.AddBos || (tokens.Length > 0 && tokens[0] == tokenizer.Bos) ? tokens : [tokenizer.Bos, .. tokens];
}
