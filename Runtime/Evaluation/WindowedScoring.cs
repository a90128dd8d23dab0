namespace MambaRT.Evaluation;

/// <summary>Receives logits of consecutive positions of a text.</summary>
/// <param name="model">Which model they are of, by its place in the list.</param>
/// <param name="next">The token that came after each position.</param>
/// <param name="logits">[next.Length, vocabulary], all finite; valid during the call.</param>
public delegate void RowScorer(int model, ReadOnlySpan<int> next, ReadOnlySpan<float> logits);

/// <summary>Feeds a text to models side by side: what perplexity and comparisons have in common.</summary>
public static class WindowedScoring
{
    /// <summary>Feeds window by window, in chunks; each chunk goes to every model in turn, so that memory is bounded by a chunk of logits a model.</summary>
    /// <param name="models">Models of one vocabulary.</param>
    /// <param name="text">The text.</param>
    /// <param name="score">Called for each chunk and model, models in the order of the list.</param>
    /// <param name="report">Receives the share done, up to 1.</param>
    /// <param name="cancel">Looked at within about a token's time.</param>
    /// <exception cref="FormatException">A model has a weight or computes a value that is not finite; the message names both.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static void Run(IReadOnlyList<Model> models, TokenWindows text, RowScorer score, Action<double> report, CancellationToken cancel = default)
    {
        var sessions = new Session[models.Count];
        try
        {
            for (int m = 0; m < sessions.Length; m++) sessions[m] = models[m].StartSession();
            int chunk = models.Min(m => m.LogitsAtOnce);
            for (int w = 0; w < text.Count; w++)
            {
                foreach (Session session in sessions) session.Reset();
                for (int begin = 0; begin < text.Length - 1; begin += chunk)
                {
                    // The last token of a window predicts nothing that is scored.
                    int count = Math.Min(chunk, text.Length - 1 - begin);
                    for (int m = 0; m < sessions.Length; m++)
                    {
                        ReadOnlySpan<float> logits = sessions[m].FeedAll(text[w].Slice(begin, count), cancel);
                        score(m, text[w].Slice(begin + 1, count), logits);
                    }
                    report((w + (begin + count) / (double)(text.Length - 1)) / text.Count);
                }
            }
        }
        finally
        {
            foreach (Session? session in sessions) session?.Dispose();
        }
    }
}
