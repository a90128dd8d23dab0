namespace MambaRT.Sampling;

/// <summary>One number that a model may recommend for sampling.</summary>
/// <param name="Name">Its key in GGUF, after <see cref="RecommendedSampling.Prefix"/>.</param>
/// <param name="HubNames">Its names in generation_config.json; the first is written.</param>
/// <param name="IsWhole">Whether it is a whole number.</param>
/// <param name="Set">Puts it into the options.</param>
internal sealed record RecommendedNumber(string Name, string[] HubNames, bool IsWhole, Func<SamplingOptions, double, SamplingOptions> Set)
{
    /// <summary>Puts a value into options; null, with the reason in words, for one that means nothing.</summary>
    public SamplingOptions? Apply(SamplingOptions options, double value, out string? fault)
    {
        fault = null;
        if (!float.IsFinite((float)value) || (IsWhole && (value != Math.Floor(value) || Math.Abs(value) > int.MaxValue)))
        {
            fault = IsWhole ? "A whole number is needed." : "A finite number is needed.";
            return null;
        }
        SamplingOptions changed = Set(options, value);
        try
        {
            changed.Validate();
            return changed;
        }
        catch (ArgumentException e)
        {
            fault = e.ParamName is null ? e.Message : e.Message.Replace($" (Parameter '{e.ParamName}')", "", StringComparison.Ordinal);
            return null;
        }
    }
}
