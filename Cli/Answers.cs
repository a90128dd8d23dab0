namespace MambaRT.Cli;

/// <summary>Reads answers on the thread of the command line, which has nothing else to do meanwhile.</summary>
internal static class Answers
{
    /// <summary>Hands each piece to <paramref name="show"/> as it comes.</summary>
    public static void Read(IAsyncEnumerable<string> pieces, Action<string> show) => ReadAsync(pieces, show).GetAwaiter().GetResult();

    private static async Task ReadAsync(IAsyncEnumerable<string> pieces, Action<string> show)
    {
        await foreach (string piece in pieces.ConfigureAwait(false)) show(piece);
    }
}
