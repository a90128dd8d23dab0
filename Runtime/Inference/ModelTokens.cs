using MambaRT.Formats;

namespace MambaRT;

/// <summary>What a model has to know of its vocabulary.</summary>
internal static class ModelTokens
{
    /// <summary>Makes the tokenizer of a model, which must have a row for every token.</summary>
    /// <exception cref="FormatException">A key is missing, has a wrong type, or contradicts another one or the plan.</exception>
    /// <exception cref="NotSupportedException">The tokenizer's model or pre-tokenizer is not one of those known.</exception>
    public static ITokenizer TokenizerOf(GgufMetadata metadata, Plan plan)
    {
        ITokenizer tokenizer = Formats.Tokenizer.Create(metadata);
        return tokenizer.VocabularySize <= plan.VocabularySize ? tokenizer
            : throw new FormatException($"{metadata.Subject}: the vocabulary has {tokenizer.VocabularySize} tokens and 'token_embd.weight' {plan.VocabularySize} rows; every token needs a row. Re-convert the model.");
    }

    /// <summary>The tokens that end a text.</summary>
    public static int[] Ends(ITokenizer tokenizer)
    {
        var ends = new List<int>();
        for (int token = 0; token < tokenizer.VocabularySize; token++)
            if (tokenizer.IsEndOfGeneration(token)) ends.Add(token);
        return [.. ends];
    }

    /// <summary>Rows of the head that stand for no token: beyond the vocabulary, or of tokens that are not used.</summary>
    public static int[] Unused(Plan plan, ITokenizer tokenizer) =>
        [.. tokenizer.UnusedTokens, .. Enumerable.Range(tokenizer.VocabularySize, plan.VocabularySize - tokenizer.VocabularySize)];
}
