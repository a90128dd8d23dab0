namespace MambaRT.Formats;

/// <summary>Where a text stands among the tokens, which decides whether a SentencePiece tokenizer puts a space before it.</summary>
public enum TextPlace
{
    /// <summary>The text begins a sequence.</summary>
    Beginning,

    /// <summary>The text follows a special token.</summary>
    AfterSpecial,

    /// <summary>The text goes on from other text.</summary>
    Within,
}
