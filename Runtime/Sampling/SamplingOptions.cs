using MambaRT.Formats;

namespace MambaRT;

/// <summary>
/// How tokens are picked; names, defaults and order as llama.cpp has them. Immutable, so threads may share it;
/// <see cref="Build"/> makes a chain for one conversation.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 always picks the most likely token.</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>How many of the most likely tokens to keep; 0 keeps all.</summary>
    public int TopK { get; init; } = 40;

    /// <summary>The probability that the kept tokens cover; 1 keeps all.</summary>
    public float TopP { get; init; } = 0.95f;

    /// <summary>The least probability relative to the most likely token; 0 keeps all.</summary>
    public float MinP { get; init; } = 0.05f;

    /// <summary>The probability that the typical tokens cover; 1 keeps all.</summary>
    public float Typical { get; init; } = 1f;

    /// <summary>Scales the logits of recent tokens; 1 is none.</summary>
    public float RepeatPenalty { get; init; } = 1f;

    /// <summary>How many recent tokens the penalties look at; 0 is none, -1 all.</summary>
    public int RepeatLastN { get; init; } = 64;

    /// <summary>Subtracted from the logit of a recent token for each occurrence; 0 is none.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted from the logit of a recent token once; 0 is none.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>How often the top choices are excluded, 0 to 1.</summary>
    public float XtcProbability { get; init; }

    /// <summary>The probability that makes a token a top choice.</summary>
    public float XtcThreshold { get; init; } = 0.1f;

    /// <summary>0 for none, 1 or 2 for that version of Mirostat, which replaces the truncating samplers.</summary>
    public int Mirostat { get; init; }

    /// <summary>The surprise that Mirostat holds, in bits.</summary>
    public float MirostatTau { get; init; } = 5f;

    /// <summary>The rate at which Mirostat learns.</summary>
    public float MirostatEta { get; init; } = 0.1f;

    /// <summary>The samplers in their order; one that is not named does nothing. <see cref="Mirostat"/> and a temperature of 0 take the place of all but the penalties.</summary>
    public IReadOnlyList<SamplerKind> Sequence { get; init; } = SamplerSequence.Usual;

    /// <summary>The seed; null draws one, which <see cref="SamplerChain.Seed"/> tells.</summary>
    public uint? Seed { get; init; }

    /// <summary>Added to the logits of tokens; negative infinity bans one.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Takes the defaults that a model's file asks for (<c>general.sampling.*</c>, all keys of llama.cpp); the others stay as they are here, and so do those whose value cannot be used.</summary>
    /// <param name="metadata">Metadata of a GGUF file.</param>
    /// <param name="notes">Takes what a user should know, such as what was left out, one sentence each.</param>
    public static SamplingOptions FromMetadata(GgufMetadata metadata, ICollection<string>? notes = null)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return RecommendedSampling.Read(metadata, notes);
    }

    /// <summary>Makes the chain: bias, then the samplers of <see cref="Sequence"/>, then the pick.</summary>
    /// <exception cref="ArgumentException">A setting is out of range; the message names it.</exception>
    public SamplerChain Build()
    {
        Validate();
        var steps = new List<ISampler>();
        if (LogitBias is { Count: > 0 } biases) steps.Add(new LogitBias(biases));
        if (Temperature == 0 || Mirostat != 0)
        {
            if (Sequence.Contains(SamplerKind.Penalties)) steps.Add(Make(SamplerKind.Penalties));
            if (Temperature == 0) steps.Add(new Greedy());
            else steps.AddRange([Make(SamplerKind.Temperature), Mirostat == 1 ? new MirostatV1(MirostatTau, MirostatEta) : new MirostatV2(MirostatTau, MirostatEta)]);
        }
        else foreach (SamplerKind kind in Sequence) steps.Add(Make(kind));
        return new SamplerChain(Seed ?? (uint)Random.Shared.NextInt64(1L << 32), steps.ToArray());
    }

    /// <summary>Refuses settings that mean nothing, each by its name.</summary>
    /// <exception cref="ArgumentException">A setting is out of range.</exception>
    public void Validate()
    {
        SamplingChecks.NotNegative(Temperature, nameof(Temperature));
        SamplingChecks.Probability(TopP, nameof(TopP));
        SamplingChecks.Probability(MinP, nameof(MinP));
        SamplingChecks.Probability(Typical, nameof(Typical));
        SamplingChecks.Probability(XtcProbability, nameof(XtcProbability));
        SamplingChecks.Probability(XtcThreshold, nameof(XtcThreshold));
        SamplingChecks.NotNegative(MirostatTau, nameof(MirostatTau));
        SamplingChecks.NotNegative(MirostatEta, nameof(MirostatEta));
        SamplingChecks.Finite(FrequencyPenalty, nameof(FrequencyPenalty));
        SamplingChecks.Finite(PresencePenalty, nameof(PresencePenalty));
        SamplingChecks.Finite(RepeatPenalty, nameof(RepeatPenalty));
        if (RepeatPenalty <= 0)
            throw new ArgumentException($"RepeatPenalty must be above 0 (1 is none); found {RepeatPenalty}.", nameof(RepeatPenalty));
        if (TopK < 0)
            throw new ArgumentException($"TopK must be 0 (all) or more; found {TopK}.", nameof(TopK));
        if (RepeatLastN < -1)
            throw new ArgumentException($"RepeatLastN must be 0 or more, or -1 for all tokens; found {RepeatLastN}.", nameof(RepeatLastN));
        if (Mirostat is not (0 or 1 or 2))
            throw new ArgumentException($"Mirostat must be 0 (none), 1 or 2; found {Mirostat}.", nameof(Mirostat));
        if (Sequence is null) throw new ArgumentException("Sequence needs a list, which may be empty; found null.", nameof(Sequence));
        foreach (SamplerKind kind in Sequence)
            if (!Enum.IsDefined(kind)) throw new ArgumentException($"Sequence has the unknown sampler {(int)kind}.", nameof(Sequence));
        if (LogitBias is not null) Sampling.LogitBias.Validate(LogitBias);
    }

    private ISampler Make(SamplerKind kind) => kind switch
    {
        SamplerKind.Penalties => new Penalties(RepeatPenalty, FrequencyPenalty, PresencePenalty, RepeatLastN),
        SamplerKind.TopK => new TopK(TopK),
        SamplerKind.Typical => new Typical(Typical),
        SamplerKind.TopP => new TopP(TopP),
        SamplerKind.MinP => new MinP(MinP),
        SamplerKind.Xtc => new Xtc(XtcProbability, XtcThreshold),
        _ => new Temperature(Temperature),
    };
}
