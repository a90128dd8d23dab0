using System.Diagnostics;
using System.Text;
using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Cli;

internal sealed record GenerationOptions
{
    public int MaxTokens { get; init; } = -1;
    public IReadOnlyList<string> Stop { get; init; } = [];
    public bool IgnoreEos { get; init; }
    public int LogProbs { get; init; }
}

internal sealed class GenerationStats
{
    public int PromptTokens { get; set; }
    public int GeneratedTokens { get; set; }
    public TimeSpan Prompt { get; set; }
    public TimeSpan Generation { get; set; }
    public TimeSpan FirstToken { get; set; }
    public string StopReason { get; set; } = "length";
}

internal sealed class TextGenerator(Session session, SamplerChain sampler, GenerationOptions options)
{
    public GenerationStats Stats { get; } = new();

    public IEnumerable<string> Generate(ReadOnlyMemory<int> promptTokens, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        ITokenizer tokenizer = session.Model.Tokenizer;
        var history = new List<int>(promptTokens.ToArray());
        float[] logits = session.Feed(promptTokens.Span, cancel).ToArray();
        Stats.PromptTokens = promptTokens.Length;
        Stats.Prompt = clock.Elapsed;
        var utf8 = new Utf8Assembler();
        var stops = new StopStrings(options.Stop);
        var text = new StringBuilder();
        while (options.MaxTokens < 0 || Stats.GeneratedTokens < options.MaxTokens)
        {
            int token = sampler.Pick(logits, history.ToArray());
            if (Stats.GeneratedTokens++ == 0) Stats.FirstToken = clock.Elapsed;
            Stats.Generation = clock.Elapsed - Stats.Prompt;
            history.Add(token);
            if (!options.IgnoreEos && tokenizer.IsEndOfGeneration(token)) { Stats.StopReason = "end"; break; }
            text.Clear();
            char[] room = new char[256];
            int n = utf8.Append(tokenizer.Decode(token, false), room);
            bool found = stops.Push(room.AsSpan(0, n), text);
            yield return text.ToString();
            if (found) { Stats.StopReason = "stop"; yield break; }
            if (cancel.IsCancellationRequested) { Stats.StopReason = "cancelled"; yield break; }
            logits = session.Feed([token], cancel).ToArray();
        }
        text.Clear();
        stops.Flush(text);
        yield return text.ToString();
    }
}
