using System.Diagnostics;

namespace MambaRT.Cli;

/// <summary>Says how far a model's way to its device is, where that takes longer than a moment.</summary>
internal sealed class LoadNotes(Terminal terminal, TimeSpan? moment = null) : IProgress<LoadProgress>
{
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly long _began = Stopwatch.GetTimestamp();
    private string _said = "";

    public void Report(LoadProgress value)
    {
        if (value.Doing is LoadProgress.Opening or LoadProgress.Ready) return;   // the verb itself says what follows
        if (value.Total == 0) Say($"{Sentence(value.Doing)}.");
        else if (Stopwatch.GetElapsedTime(_began) >= (moment ?? Moment)) Say($"{Sentence(value.Doing)}: {value.Done * 10 / value.Total * 10} % of {Show.Bytes(value.Total)}.");
    }

    private void Say(string line)
    {
        if (line == _said) return;
        terminal.Note(_said = line);
    }

    private static string Sentence(string doing) => char.ToUpperInvariant(doing[0]) + doing[1..];
}
