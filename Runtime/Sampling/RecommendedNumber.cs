namespace MambaRT.Sampling;

/// <summary>One number that a model may recommend for sampling.</summary>
/// <param name="Name">Its key in GGUF, after <see cref="RecommendedSampling.Prefix"/>.</param>
/// <param name="HubNames">Its names in generation_config.json; the first is written.</param>
/// <param name="IsWhole">Whether it is a whole number.</param>
/// <param name="Set">Puts it into the options.</param>
internal sealed record RecommendedNumber(string Name, string[] HubNames, bool IsWhole, Func<SamplingOptions, double, SamplingOptions> Set)
{
    /// <summary>Puts a value into options; null, with the reason as a clause, for one that means nothing.</summary>
    /// <param name="options">The options so far.</param>
    /// <param name="value">The number.</param>
    /// <param name="calledAs">Its name where it stands, for the reason.</param>
    /// <param name="fault">The reason, or null.</param>
    public SamplingOptions? Apply(SamplingOptions options, double value, string calledAs, out string? fault)
    {
        fault = null;
        if (!float.IsFinite((float)value) || (IsWhole && (value != Math.Floor(value) || Math.Abs(value) > int.MaxValue)))
        {
            fault = IsWhole ? "a whole number is needed" : "a finite number is needed";
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
            fault = e.Message;
            if (e.ParamName is { } property) fault = fault.Replace($" (Parameter '{property}')", "", StringComparison.Ordinal).Replace($"{property} must", $"{calledAs} must", StringComparison.Ordinal);
            fault = fault.TrimEnd('.');
            return null;
        }
    }
}
