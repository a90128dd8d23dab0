using System.CommandLine;
using System.Globalization;

namespace MambaRT.Cli;

/// <summary>How tokens are picked; what is not given comes from the model's file, then from llama.cpp's defaults.</summary>
internal sealed class SamplingArguments
{
    private readonly Option<float?> _temperature = OptionOf.Number("--temp", ["--temperature"], "Divides the logits; 0 always picks the most likely token.", 0, float.MaxValue, "0.7");
    private readonly Option<long?> _topK = OptionOf.Whole("--top-k", [], "How many of the most likely tokens to keep; 0 keeps all.", 0, long.MaxValue, "40");
    private readonly Option<float?> _topP = OptionOf.Number("--top-p", [], "The probability that the kept tokens cover; 1 keeps all.", 0, 1, "0.9");
    private readonly Option<float?> _minP = OptionOf.Number("--min-p", [], "The least probability relative to the most likely token; 0 keeps all.", 0, 1, "0.05");
    private readonly Option<float?> _repeatPenalty = OptionOf.Number("--repeat-penalty", [], "Makes recent tokens less likely; 1 is none.", 0.01f, 100, "1.1");
    private readonly Option<long?> _repeatLastN = OptionOf.Whole("--repeat-last-n", [], "How many tokens are recent: 64 when not given; 0 is none, -1 all.", -1, int.MaxValue, "64");
    private readonly Option<float?> _frequencyPenalty = OptionOf.Number("--frequency-penalty", [], "Subtracted from a recent token's logit for each time it occurs; 0 is none.", -100, 100, "0.2");
    private readonly Option<float?> _presencePenalty = OptionOf.Number("--presence-penalty", [], "Subtracted from a recent token's logit once; 0 is none.", -100, 100, "0.5");
    private readonly Option<float?> _xtcProbability = OptionOf.Number("--xtc-probability", [], "How often all top choices but the last are excluded; 0 is never.", 0, 1, "0.5");
    private readonly Option<float?> _xtcThreshold = OptionOf.Number("--xtc-threshold", [], "The probability that makes a token a top choice.", 0, 1, "0.1");
    private readonly Option<long?> _mirostat = OptionOf.Whole("--mirostat", [], "1 or 2 holds the surprise of the text in place of top-k, top-p, min-p and xtc; 0 does not.", 0, 2, "2");
    private readonly Option<float?> _mirostatTau = OptionOf.Number("--mirostat-ent", [], "The surprise that Mirostat holds, in bits.", 0, float.MaxValue, "5");
    private readonly Option<float?> _mirostatEta = OptionOf.Number("--mirostat-lr", [], "The rate at which Mirostat learns.", 0, float.MaxValue, "0.1");
    private readonly Option<string?> _sequence = OptionOf.Text("--samplers", [], "NAMES", "The samplers in their order, with semicolons between; without it penalties;top_k;typ_p;top_p;min_p;xtc;temperature.");
    private readonly Option<long?> _seed = OptionOf.Whole("--seed", ["-s"], "Makes a run repeatable; -1 draws one.", -1, uint.MaxValue, "42");
    private readonly Option<string[]> _bias = OptionOf.Texts("--logit-bias", ["-l"], "ID+X", "Adds X to the logit of a token, such as 42+1.5 or 42-inf; may be repeated.");

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_temperature, _topK, _topP, _minP, _repeatPenalty, _repeatLastN, _frequencyPenalty, _presencePenalty, _xtcProbability, _xtcThreshold,
            _mirostat, _mirostatTau, _mirostatEta, _sequence, _seed, _bias]) command.Options.Add(option);
    }

    /// <summary>Makes the chain for a model.</summary>
    public SamplerChain Build(ParseResult arguments, Model model, Terminal terminal)
    {
        List<string> notes = [];
        SamplingOptions defaults = SamplingOptions.FromMetadata(model.Metadata, notes);
        foreach (string note in notes) terminal.Note($"Warning: {note}");
        long seed = arguments.GetValue(_seed) ?? -1;
        return (defaults with
        {
            Temperature = arguments.GetValue(_temperature) ?? defaults.Temperature,
            TopK = (int)Math.Min(arguments.GetValue(_topK) ?? defaults.TopK, int.MaxValue),
            TopP = arguments.GetValue(_topP) ?? defaults.TopP,
            MinP = arguments.GetValue(_minP) ?? defaults.MinP,
            RepeatPenalty = arguments.GetValue(_repeatPenalty) ?? defaults.RepeatPenalty,
            RepeatLastN = (int)(arguments.GetValue(_repeatLastN) ?? defaults.RepeatLastN),
            FrequencyPenalty = arguments.GetValue(_frequencyPenalty) ?? defaults.FrequencyPenalty,
            PresencePenalty = arguments.GetValue(_presencePenalty) ?? defaults.PresencePenalty,
            XtcProbability = arguments.GetValue(_xtcProbability) ?? defaults.XtcProbability,
            XtcThreshold = arguments.GetValue(_xtcThreshold) ?? defaults.XtcThreshold,
            Mirostat = (int)(arguments.GetValue(_mirostat) ?? defaults.Mirostat),
            MirostatTau = arguments.GetValue(_mirostatTau) ?? defaults.MirostatTau,
            MirostatEta = arguments.GetValue(_mirostatEta) ?? defaults.MirostatEta,
            Sequence = arguments.GetValue(_sequence) is string sequence ? Samplers(sequence) : defaults.Sequence,
            Seed = seed < 0 ? null : (uint)seed,
            LogitBias = Biases(arguments.GetValue(_bias) ?? [], model.Plan.VocabularySize),
        }).Build();
    }

    private static IReadOnlyList<SamplerKind> Samplers(string text)
    {
        List<string> unknown = [];
        IReadOnlyList<SamplerKind> kinds = SamplerSequence.Parse(text, unknown);
        return unknown.Count == 0 ? kinds
            : throw new UsageException($"--samplers names '{Show.Text(unknown[0], 60)}', which is no sampler; choose of penalties, top_k, typ_p, top_p, min_p, xtc and temperature.");
    }

    private static Dictionary<int, float> Biases(string[] texts, int vocabulary)
    {
        var biases = new Dictionary<int, float>();
        foreach (string text in texts)
        {
            int sign = text.IndexOfAny(['+', '-', '=', ':']);
            string number = sign < 0 ? "" : text[sign] is '+' or '-' ? text[sign..] : text[(sign + 1)..];
            if (sign < 1 || !int.TryParse(text.AsSpan(0, sign), NumberStyles.None, CultureInfo.InvariantCulture, out int token) || !TryBias(number, out float bias))
                throw new UsageException($"--logit-bias is '{Show.Text(text, 60)}'; it needs a token id and a number, such as 42+1.5, 42-1.5 or 42-inf.");
            if (token >= vocabulary)
                throw new UsageException($"--logit-bias is '{Show.Text(text, 60)}'; the model's token ids run from 0 to {vocabulary - 1}.");
            biases[token] = bias;
        }
        return biases;
    }

    private static bool TryBias(string text, out float bias)
    {
        bias = float.NegativeInfinity;
        return string.Equals(text, "-inf", StringComparison.OrdinalIgnoreCase)
            || (float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out bias) && float.IsFinite(bias));
    }
}
