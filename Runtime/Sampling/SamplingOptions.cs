using MambaRT.Formats;

namespace MambaRT.Runtime;

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

    /// <summary>0 for none, 2 for Mirostat version 2, which replaces the truncating samplers.</summary>
    public int Mirostat { get; init; }

    /// <summary>The surprise that Mirostat holds, in bits.</summary>
    public float MirostatTau { get; init; } = 5f;

    /// <summary>The rate at which Mirostat learns.</summary>
    public float MirostatEta { get; init; } = 0.1f;

    /// <summary>The seed; null draws one, which <see cref="SamplerChain.Seed"/> tells.</summary>
    public uint? Seed { get; init; }

    /// <summary>Added to the logits of tokens; negative infinity bans one.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Takes the defaults that a model's file asks for (<c>general.sampling.temp</c>, <c>top_k</c>, <c>top_p</c>); the others stay as they are here.</summary>
    /// <param name="metadata">Metadata of a GGUF file.</param>
    /// <exception cref="FormatException">A value has a wrong type or is out of range.</exception>
    public static SamplingOptions FromMetadata(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        var plain = new SamplingOptions();
        var options = plain with
        {
            Temperature = metadata.TryGetFloat("general.sampling.temp") ?? plain.Temperature,
            TopK = metadata.TryGetInt32("general.sampling.top_k", 0) ?? plain.TopK,
            TopP = metadata.TryGetFloat("general.sampling.top_p") ?? plain.TopP,
        };
        try
        {
            options.Validate();
        }
        catch (ArgumentException error)
        {
            throw new FormatException($"{metadata.Subject}: the sampling defaults 'general.sampling.*' cannot be used: {error.Message} Remove the key, or re-convert the model.", error);
        }

        return options;
    }

    /// <summary>Makes the chain: bias, penalties, top-k, typical, top-p, min-p, XTC, temperature, pick.</summary>
    /// <exception cref="ArgumentException">A setting is out of range; the message names it.</exception>
    public SamplerChain Build()
    {
        Validate();
        var steps = new List<ISampler>();
        if (LogitBias is { Count: > 0 } biases) steps.Add(new LogitBias(biases));
        steps.Add(new Penalties(RepeatPenalty, FrequencyPenalty, PresencePenalty, RepeatLastN));
        if (Temperature == 0)
        {
            steps.Add(new Greedy());
        }
        else if (Mirostat == 2)
        {
            steps.Add(new Temperature(Temperature));
            steps.Add(new MirostatV2(MirostatTau, MirostatEta));
        }
        else
        {
            steps.Add(new TopK(TopK));
            steps.Add(new Typical(Typical));
            steps.Add(new TopP(TopP));
            steps.Add(new MinP(MinP));
            steps.Add(new Xtc(XtcProbability, XtcThreshold));
            steps.Add(new Temperature(Temperature));
        }

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
        if (Mirostat is not (0 or 2))
            throw new ArgumentException($"Mirostat must be 0 (none) or 2; found {Mirostat}.", nameof(Mirostat));
        if (LogitBias is not null) MambaRT.Runtime.LogitBias.Validate(LogitBias);
    }
}
