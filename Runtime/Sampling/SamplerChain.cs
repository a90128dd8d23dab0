namespace MambaRT;

/// <summary>
/// Picks a token: runs its samplers in order over the logits, then draws from what they left by its own seeded generator.
/// Equal seeds, samplers and calls give equal tokens. A chain that a <see cref="TokenPick"/> says too leaves picking to that in a <see cref="TextGenerator"/>,
/// where the device can then do it: its random numbers are those of its seed, of how many texts it has begun, and of a token's position. One thread at a time; allocates nothing after the first pick for a vocabulary size.
/// </summary>
public sealed class SamplerChain
{
    private readonly ISampler[] _steps;
    private Rng _random;
    private uint _texts;
    private int[] _ids = [];
    private float[] _logits = [];
    private ulong[] _scratch = [];

    /// <summary>Makes a chain.</summary>
    /// <param name="seed">The seed of the chain's generator.</param>
    /// <param name="steps">The samplers, first to last; none at all draws from the plain softmax.</param>
    /// <exception cref="ArgumentException">A step is null.</exception>
    public SamplerChain(uint seed, params ReadOnlySpan<ISampler> steps)
    {
        foreach (var step in steps)
        {
            if (step is null) throw new ArgumentException("A sampler chain needs samplers; found a null step.", nameof(steps));
        }

        Seed = seed;
        _random = new Rng(seed);
        _steps = steps.ToArray();
    }

    private SamplerChain(uint seed, Rng random, uint texts, ISampler[] steps)
    {
        Seed = seed;
        _texts = texts;
        _random = random;
        _steps = steps;
    }

    /// <summary>The seed, so that a run can be repeated.</summary>
    public uint Seed { get; }

    /// <summary>Picks the next token, and lets samplers with state learn it.</summary>
    /// <param name="logits">One logit a token of the vocabulary; a NaN counts as negative infinity (banned).</param>
    /// <param name="history">The tokens so far, oldest first; penalties look at its end.</param>
    /// <returns>The token, in [0, <c>logits.Length</c>).</returns>
    /// <exception cref="ArgumentException">There are no logits, or a sampler made a candidate that is none of their tokens.</exception>
    /// <exception cref="InvalidOperationException">Every token is banned.</exception>
    public int Pick(ReadOnlySpan<float> logits, ReadOnlySpan<int> history) => Pick(logits, history, []);

    /// <summary>As <see cref="Pick(ReadOnlySpan{float}, ReadOnlySpan{int})"/>, but none of <paramref name="banned"/>, whatever the samplers do.</summary>
    /// <param name="logits">One logit a token of the vocabulary; a NaN counts as negative infinity (banned).</param>
    /// <param name="history">The tokens so far, oldest first; penalties look at its end.</param>
    /// <param name="banned">Tokens of the vocabulary that cannot be picked.</param>
    /// <inheritdoc cref="Pick(ReadOnlySpan{float}, ReadOnlySpan{int})"/>
    public int Pick(ReadOnlySpan<float> logits, ReadOnlySpan<int> history, ReadOnlySpan<int> banned)
    {
        if (logits.IsEmpty) throw new ArgumentException("A pick needs one logit a token; found none.", nameof(logits));
        Reserve(logits.Length);
        var size = logits.Length;
        for (var i = 0; i < size; i++)
        {
            _ids[i] = i;
            // Finite tops keep softmax defined: infinity minus infinity is not a number.
            _logits[i] = float.IsNaN(logits[i]) ? float.NegativeInfinity : Math.Min(logits[i], float.MaxValue);
        }

        foreach (var never in banned) _logits[never] = float.NegativeInfinity;
        var candidates = new Candidates(_ids.AsSpan(0, size), _logits.AsSpan(0, size), _scratch, history, _random);
        foreach (var step in _steps) step.Apply(ref candidates);

        var token = Draw(candidates, out var probability);
        if ((uint)token >= (uint)size)
            throw new ArgumentException($"A sampler left the candidate {token}; ids run from 0 to {size - 1}. A sampler may drop and reorder candidates, not make new ones.", nameof(logits));
        foreach (var step in _steps)
        {
            if (step is IStatefulSampler learner) learner.Accept(token, probability);
        }

        return token;
    }

    /// <summary>Begins a text: the pick that says what this chain does there, by random numbers of its own; null where there is none.</summary>
    internal TokenPick? BeginText() => PickOfChain.Of(_steps, (ulong)_texts++ << 32 | Seed);

    /// <summary>Returns generator and samplers to their state after construction.</summary>
    public void Reset()
    {
        _random = new Rng(Seed);
        _texts = 0;
        foreach (var step in _steps)
        {
            if (step is IStatefulSampler learner) learner.Reset();
        }
    }

    /// <summary>Copies the chain with its present state: both give the same tokens for the same logits, independently of each other.</summary>
    public SamplerChain Clone() => new(Seed, _random.Clone(), _texts, CloneSteps());

    /// <summary>Copies the samplers with their present state under another seed, for continuations that should differ.</summary>
    /// <param name="seed">The seed of the copy.</param>
    public SamplerChain Clone(uint seed) => new(seed, new Rng(seed), 0, CloneSteps());

    private ISampler[] CloneSteps()
    {
        var steps = new ISampler[_steps.Length];
        for (var i = 0; i < steps.Length; i++)
            steps[i] = _steps[i] is IStatefulSampler learner ? learner.Clone() : _steps[i];
        return steps;
    }

    private void Reserve(int size)
    {
        if (_ids.Length >= size) return;
        _ids = new int[size];
        _logits = new float[size];
        _scratch = new ulong[size];
    }

    private int Draw(in Candidates candidates, out double probability)
    {
        if (candidates.Count == 1 && !float.IsNegativeInfinity(candidates.Logits[0]))
        {
            probability = 1;
            return candidates.Ids[0];
        }

        var weights = candidates.Weigh(out var sum);
        if (weights.IsEmpty)
            throw new InvalidOperationException(
                "No token can be picked: every logit is NaN or negative infinity. Check the model's weights, or ban fewer tokens.");

        var left = _random.NextDouble() * sum;
        var picked = -1;
        for (var i = 0; i < weights.Length; i++)
        {
            if (weights[i] <= 0) continue;
            // The last possible candidate also catches what rounding leaves over.
            picked = i;
            left -= weights[i];
            if (left < 0) break;
        }

        probability = weights[picked] / sum;
        return candidates.Ids[picked];
    }
}
