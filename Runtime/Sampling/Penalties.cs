namespace MambaRT.Sampling;

/// <summary>
/// Makes recent tokens less likely, as llama.cpp does: for a token that occurs c > 0 times in the window,
/// a positive logit is divided by the repeat penalty and any other multiplied by it, then c * frequency + presence is subtracted.
/// Keeps no state.
/// </summary>
public sealed class Penalties : ISampler
{
    private readonly float _repeat;
    private readonly float _frequency;
    private readonly float _presence;
    private readonly int _lastN;

    /// <summary>Makes the sampler.</summary>
    /// <param name="repeat">The repeat penalty (Keskar et al. 2019); 1 is none.</param>
    /// <param name="frequency">Subtracted for each occurrence; 0 is none.</param>
    /// <param name="presence">Subtracted once; 0 is none.</param>
    /// <param name="lastN">How many of the last tokens count; 0 is none, -1 the whole history.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public Penalties(float repeat = 1f, float frequency = 0f, float presence = 0f, int lastN = 64)
    {
        SamplingChecks.Finite(repeat, nameof(repeat));
        SamplingChecks.Finite(frequency, nameof(frequency));
        SamplingChecks.Finite(presence, nameof(presence));
        if (repeat <= 0)
            throw new ArgumentException($"The repeat penalty must be above 0 (1 is none); found {repeat}.", nameof(repeat));
        if (lastN < -1)
            throw new ArgumentException($"The penalty window must be 0 or more tokens, or -1 for all; found {lastN}.", nameof(lastN));
        _repeat = repeat;
        _frequency = frequency;
        _presence = presence;
        _lastN = lastN;
    }

    /// <summary>Whether it never does anything.</summary>
    internal bool IsIdle => _lastN == 0 || (_repeat == 1f && _frequency == 0f && _presence == 0f);

    /// <inheritdoc/>
    public void Apply(ref Candidates candidates)
    {
        var history = candidates.History;
        var window = _lastN < 0 || _lastN >= history.Length ? history : history[^_lastN..];
        if (window.IsEmpty || IsIdle) return;

        // Counts live at the candidate's position; only the positions in use are cleared, so the cost follows the window.
        var counts = candidates.Scratch;
        foreach (var token in window)
        {
            var at = candidates.IndexOf(token);
            if (at >= 0) counts[at] = 0;
        }

        foreach (var token in window)
        {
            var at = candidates.IndexOf(token);
            if (at >= 0) counts[at]++;
        }

        foreach (var token in window)
        {
            var at = candidates.IndexOf(token);
            if (at < 0 || counts[at] == 0) continue;
            candidates.Logits[at] = Penalise(candidates.Logits[at], counts[at]);
            counts[at] = 0;
        }

        candidates.Disorder();
    }

    private float Penalise(float logit, ulong count)
    {
        // A banned token stays banned; the arithmetic below could make it a NaN.
        if (float.IsNegativeInfinity(logit)) return logit;
        var scaled = logit <= 0 ? logit * _repeat : logit / _repeat;
        var result = scaled - (count * _frequency + _presence);
        return float.IsNaN(result) ? float.NegativeInfinity : Math.Min(result, float.MaxValue);
    }
}
