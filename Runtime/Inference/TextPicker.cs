using MambaRT.Formats;

namespace MambaRT;

/// <summary>Picks the tokens of texts by a chain of samplers, among those that stand for something: rows that only pad the embedding have no text. One thread at a time.</summary>
/// <remarks>Where a <see cref="TokenPick"/> says what the chain does, that picks, here or on the device, with the same outcome.</remarks>
internal sealed class TextPicker
{
    private readonly SamplerChain _sampler;
    private readonly TokenPicker _picker = new();
    private readonly int[] _banned;       // the unused, and the ends where they are ignored
    private readonly bool _ignoresEnds;
    private float[] _allowed = [];

    /// <summary>Makes a picker.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="sampler">What picks.</param>
    /// <param name="ignoreEnds">Whether tokens that end a text are kept from being picked.</param>
    public TextPicker(ITokenizer tokenizer, SamplerChain sampler, bool ignoreEnds)
    {
        (_sampler, _ignoresEnds) = (sampler, ignoreEnds);
        ReadOnlySpan<int> unused = tokenizer.UnusedTokens;
        Vocabulary = tokenizer.VocabularySize;
        while (!unused.IsEmpty && unused[^1] == Vocabulary - 1)
        {
            unused = unused[..^1];
            Vocabulary--;
        }
        Unused = unused.ToArray();
        _banned = ignoreEnds ? [.. Unused, .. ModelTokens.Ends(tokenizer)] : Unused;
    }

    /// <summary>Tokens up to the last that stands for something.</summary>
    public int Vocabulary { get; }

    /// <summary>Tokens below that stand for nothing.</summary>
    public int[] Unused { get; }

    /// <summary>What the sampler does in the text at hand, where that can be said; null elsewhere.</summary>
    public TokenPick? Pick { get; private set; }

    /// <summary>Begins a text.</summary>
    public void BeginText() => Pick = _sampler.BeginText() is { } pick ? pick with { NoEnds = _ignoresEnds } : null;

    /// <summary>Picks a token.</summary>
    /// <param name="logits">A row of logits.</param>
    /// <param name="history">The tokens before, for samplers that look back.</param>
    /// <param name="position">How many tokens were fed.</param>
    public int Next(ReadOnlySpan<float> logits, ReadOnlySpan<int> history, long position)
    {
        logits = logits[..Math.Min(logits.Length, Vocabulary)];
        if (Pick is not { } pick) return _sampler.Pick(logits, history, _banned);
        if (_allowed.Length != logits.Length) _allowed = new float[logits.Length];
        logits.CopyTo(_allowed);
        foreach (int token in _banned) _allowed[token] = float.NegativeInfinity;
        return _picker.Pick(_allowed, pick, position) is >= 0 and int picked ? picked : throw HostPicks.NothingToPick(0);
    }
}
