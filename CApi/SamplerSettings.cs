namespace MambaRT.CApi;

/// <summary>Sampling options as C has them.</summary>
internal static unsafe class SamplerSettings
{
    /// <summary>For C.</summary>
    public static SamplerOptionsLayout Layout(SamplingOptions options) => new()
    {
        Size = (uint)sizeof(SamplerOptionsLayout),
        Temperature = options.Temperature, TopK = options.TopK, TopP = options.TopP, MinP = options.MinP, TypicalP = options.Typical,
        RepeatPenalty = options.RepeatPenalty, RepeatLastN = options.RepeatLastN, FrequencyPenalty = options.FrequencyPenalty, PresencePenalty = options.PresencePenalty,
        XtcProbability = options.XtcProbability, XtcThreshold = options.XtcThreshold,
        Mirostat = options.Mirostat, MirostatTau = options.MirostatTau, MirostatEta = options.MirostatEta,
        HasSeed = options.Seed is null ? 0 : 1, Seed = options.Seed ?? 0,
    };

    /// <summary>From C.</summary>
    public static SamplingOptions Of(in SamplerOptionsLayout taken) => new()
    {
        Temperature = taken.Temperature, TopK = taken.TopK, TopP = taken.TopP, MinP = taken.MinP, Typical = taken.TypicalP,
        RepeatPenalty = taken.RepeatPenalty, RepeatLastN = taken.RepeatLastN, FrequencyPenalty = taken.FrequencyPenalty, PresencePenalty = taken.PresencePenalty,
        XtcProbability = taken.XtcProbability, XtcThreshold = taken.XtcThreshold,
        Mirostat = taken.Mirostat, MirostatTau = taken.MirostatTau, MirostatEta = taken.MirostatEta,
        Seed = taken.HasSeed != 0 ? taken.Seed : null,
    };
}
