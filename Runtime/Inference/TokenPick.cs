namespace MambaRT;

/// <summary>How a token is picked from a row of logits, by the device where it can, else by <see cref="TokenPicker"/>: equal rows and picks give equal ids anywhere.</summary>
/// <remarks>
/// The default value is greedy. All arithmetic is exact or in single IEEE operations, so that no device may round otherwise. With l the logits (NaN counts as −∞,
/// +∞ as the largest float), m their maximum and w(l, s) = ⌊2³⁰·exp2(max((l − m)·s, −64))⌋ as <see cref="TokenPicker.Weight"/> defines:
/// <code>
///   1. order    larger logit first, of equals the lower id                       greedy: the first
///   2. top-k    the first k                                                      0: all
///   3. top-p    of these the fewest first whose w(l, log2 e) sum to ⌈p·Σw⌉ or more   1: all
///   4. min-p    of these those with w(l, log2 e) ≥ ⌊p·2³⁰⌋, the first always     0: all
///   5. draw     v = w(l, log2(e) / temperature); r = ⌊Σv·u / 2⁶⁴⌋ with u = CounterRandom(seed, position);
///               the first in order of id whose running sum of v exceeds r
/// </code>
/// With <see cref="NoEnds"/>, tokens that end a text count as −∞. position is that of the token being picked: the number of tokens before it in its sequence. A sequence that is fed again, alone or with others, picks the same.
/// </remarks>
/// <param name="Temperature">Divides the logits at the draw; 0 picks the first.</param>
/// <param name="TopK">How many to keep; 0 keeps all.</param>
/// <param name="TopP">The probability that is kept; 1, and 0 as in the default value, keep all.</param>
/// <param name="MinP">The least probability relative to the first; 0 keeps all.</param>
/// <param name="Seed">Names the sequence of random numbers.</param>
/// <param name="NoEnds">Whether tokens that end a text (<see cref="LoadOptions.EndTokens"/>) are not picked.</param>
public readonly record struct TokenPick(float Temperature, int TopK = 0, float TopP = 1, float MinP = 0, ulong Seed = 0, bool NoEnds = false)
{
    /// <summary>Whether nothing is drawn.</summary>
    public bool IsGreedy => Temperature == 0;

    /// <summary>Refuses settings that mean nothing, each by its name.</summary>
    /// <exception cref="ArgumentException">A setting is out of range.</exception>
    public void Validate()
    {
        SamplingChecks.NotNegative(Temperature, nameof(Temperature));
        SamplingChecks.Probability(TopP, nameof(TopP));
        SamplingChecks.Probability(MinP, nameof(MinP));
        if (TopK < 0) throw new ArgumentException($"TopK must be 0 (all) or more; found {TopK}.");
    }
}
