using System.CommandLine;
using System.Globalization;
using MambaRT.Runtime;

namespace MambaRT.Cli;

/// <summary>How tokens are picked; what is not given comes from the model's file, then from llama.cpp's defaults.</summary>
internal sealed class SamplingArguments
{
    private readonly Option<float?> _temperature = OptionOf.Number("--temp", ["--temperature"], "Divides the logits; 0 always picks the most likely token.", 0, float.MaxValue, "0.7");
    private readonly Option<long?> _topK = OptionOf.Whole("--top-k", [], "How many of the most likely tokens to keep; 0 keeps all.", 0, long.MaxValue, "40");
    private readonly Option<float?> _topP = OptionOf.Number("--top-p", [], "The probability that the kept tokens cover; 1 keeps all.", 0, 1, "0.9");
    private readonly Option<float?> _minP = OptionOf.Number("--min-p", [], "The least probability relative to the most likely token; 0 keeps all.", 0, 1, "0.05");
    private readonly Option<float?> _repeatPenalty = OptionOf.Number("--repeat-penalty", [], "Makes tokens of the last 64 less likely; 1 is none.", 0.01f, 100, "1.1");
    private readonly Option<long?> _seed = OptionOf.Whole("--seed", ["-s"], "Makes a run repeatable; -1 draws one.", -1, uint.MaxValue, "42");
    private readonly Option<string[]> _bias = OptionOf.Texts("--logit-bias", ["-l"], "ID+X", "Adds X to the logit of a token, such as 42+1.5 or 42-inf; may be repeated.");

    public void AddTo(Command command)
    {
        command.Options.Add(_temperature);
        command.Options.Add(_topK);
        command.Options.Add(_topP);
        command.Options.Add(_minP);
        command.Options.Add(_repeatPenalty);
        command.Options.Add(_seed);
        command.Options.Add(_bias);
    }

    /// <summary>Makes the chain for a model.</summary>
    public SamplerChain Build(ParseResult arguments, Model model)
    {
        SamplingOptions defaults = SamplingOptions.FromMetadata(model.Metadata);
        long seed = arguments.GetValue(_seed) ?? -1;
        return (defaults with
        {
            Temperature = arguments.GetValue(_temperature) ?? defaults.Temperature,
            TopK = (int)Math.Min(arguments.GetValue(_topK) ?? defaults.TopK, int.MaxValue),
            TopP = arguments.GetValue(_topP) ?? defaults.TopP,
            MinP = arguments.GetValue(_minP) ?? defaults.MinP,
            RepeatPenalty = arguments.GetValue(_repeatPenalty) ?? defaults.RepeatPenalty,
            Seed = seed < 0 ? null : (uint)seed,
            LogitBias = Biases(arguments.GetValue(_bias) ?? [], model.Plan.VocabularySize),
        }).Build();
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
