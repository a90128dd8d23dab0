using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>The speed of decoding alone, for reports about something else.</summary>
public static class DecodeSpeed
{
    /// <summary>Tokens a second of all sequences together, the median of repetitions as <c>bench</c> measures them.</summary>
    /// <param name="backend">Where the model runs.</param>
    /// <param name="model">The model.</param>
    /// <param name="file">Its file.</param>
    /// <param name="budget">About how long it may take.</param>
    /// <param name="sequences">How many are decoded at once.</param>
    /// <param name="cancel">Looked at between repetitions.</param>
    public static double TokensPerSecond(IBackend backend, Model model, GgufFile file, TimeSpan budget, int sequences = 1, CancellationToken cancel = default)
    {
        var none = new Dictionary<int, double>();
        var target = new BenchTarget(backend, model, 0, 0, new MachineRecord("", "", 0, none, none, none, []), null, new Workload(file, model.Plan));
        return target.Decode(sequences, new BenchOptions { Path = file.Path }.DecodeTokens, logits: false, double.NaN, budget, cancel).TokensPerSecond;
    }
}
