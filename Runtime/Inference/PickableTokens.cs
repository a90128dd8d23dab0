using MambaRT.Formats;

namespace MambaRT;

/// <summary>Which tokens of a vocabulary can be picked: rows that only pad the embedding have no text.</summary>
/// <param name="tokenizer">The vocabulary.</param>
/// <param name="ignoreEnds">Whether tokens that end a text are kept from being picked.</param>
internal readonly struct PickableTokens(ITokenizer tokenizer, bool ignoreEnds)
{
    /// <summary>Tokens up to the last that stands for something.</summary>
    public int Vocabulary { get; } = End(tokenizer);

    /// <summary>Tokens below it that stand for nothing.</summary>
    public int[] Unused { get; } = UnusedBelow(tokenizer);

    /// <summary>Those, and the ends where they are ignored.</summary>
    public int[] Banned { get; } = ignoreEnds ? [.. UnusedBelow(tokenizer), .. Ends(tokenizer)] : UnusedBelow(tokenizer);

    private static int End(ITokenizer tokenizer)
    {
        ReadOnlySpan<int> unused = tokenizer.UnusedTokens;
        int vocabulary = tokenizer.VocabularySize;
        for (; !unused.IsEmpty && unused[^1] == vocabulary - 1; unused = unused[..^1]) vocabulary--;
        return vocabulary;
    }

    private static int[] UnusedBelow(ITokenizer tokenizer)
    {
        int end = End(tokenizer);
        return Array.FindAll(tokenizer.UnusedTokens.ToArray(), token => token < end);
    }

    private static int[] Ends(ITokenizer tokenizer)
    {
        var ends = new List<int>();
        for (int token = 0; token < tokenizer.VocabularySize; token++)
            if (tokenizer.IsEndOfGeneration(token)) ends.Add(token);
        return [.. ends];
    }
}
