using System.Text;

namespace MambaRT.Chat;

/// <summary>
/// Looks for stop strings in text that arrives in pieces. It releases what can no longer be part of a stop string and holds back the rest,
/// so no part of a stop string that ends the text is ever shown, however the text is cut.
/// The stop that ends first wins; of those that end together, the longest. Compares ordinally. One thread at a time.
/// </summary>
/// <remarks>
/// One Knuth-Morris-Pratt automaton a stop string: its state is how much of the stop the text ends with. The held text is a prefix of the
/// stop with the largest state, so nothing needs to be buffered.
/// </remarks>
internal sealed class StopStrings
{
    private readonly string[] _stops;
    private readonly int[][] _failures;
    private readonly int[] _matched;
    private int _longest = -1;

    /// <summary>Makes a matcher.</summary>
    /// <param name="stops">The stop strings; none at all lets every text through.</param>
    /// <exception cref="ArgumentException">A stop string is null or empty.</exception>
    public StopStrings(IReadOnlyList<string> stops)
    {
        ArgumentNullException.ThrowIfNull(stops);
        _stops = [.. stops];
        foreach (var stop in _stops)
        {
            if (string.IsNullOrEmpty(stop))
                throw new ArgumentException("A stop string needs at least one character; found an empty one.", nameof(stops));
        }

        _failures = Array.ConvertAll(_stops, Failures);
        _matched = new int[_stops.Length];
    }

    /// <summary>The stop string that was found; null while there is none.</summary>
    public string? Found { get; private set; }

    /// <summary>The number of characters held back at present.</summary>
    public int Held => _longest < 0 ? 0 : _matched[_longest];

    /// <summary>Takes a piece of text and appends what is safe to show.</summary>
    /// <param name="piece">The next characters; any cut is allowed. Text after a stop string is dropped.</param>
    /// <param name="output">Receives the released text.</param>
    /// <returns>True once a stop string was found, and from then on until <see cref="Reset"/>.</returns>
    public bool Push(ReadOnlySpan<char> piece, StringBuilder output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (Found is not null) return true;
        foreach (var next in piece)
        {
            var before = _longest;
            var held = Held;
            var found = Advance(next);
            var keep = found < 0 ? Held : _stops[found].Length;

            // The text under consideration is the held prefix and this character; all but its last `keep` characters are safe.
            var release = held + 1 - keep;
            if (before >= 0) output.Append(_stops[before], 0, Math.Min(release, held));
            if (release > held) output.Append(next);
            if (found < 0) continue;

            Forget();
            Found = _stops[found];
            return true;
        }

        return false;
    }

    /// <summary>Appends the text still held back, for the end of a text without a stop string.</summary>
    /// <param name="output">Receives the held text.</param>
    public void Flush(StringBuilder output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (_longest >= 0) output.Append(_stops[_longest], 0, Held);
        Forget();
    }

    /// <summary>Forgets the held text and the stop string found, for a new text.</summary>
    public void Reset()
    {
        Forget();
        Found = null;
    }

    private void Forget()
    {
        Array.Clear(_matched);
        _longest = -1;
    }

    /// <summary>Moves every automaton by one character; returns the longest stop that ends here, or -1.</summary>
    private int Advance(char next)
    {
        var found = -1;
        _longest = -1;
        for (var i = 0; i < _stops.Length; i++)
        {
            var stop = _stops[i];
            var state = _matched[i];
            while (state > 0 && stop[state] != next) state = _failures[i][state - 1];
            if (stop[state] == next) state++;
            _matched[i] = state;
            // A finished automaton never runs on: the caller stops here.
            if (state == stop.Length && (found < 0 || state > _stops[found].Length)) found = i;
            if (state > 0 && (_longest < 0 || state > _matched[_longest])) _longest = i;
        }

        return found;
    }

    /// <summary>For each prefix, the length of its longest proper prefix that is also its suffix.</summary>
    private static int[] Failures(string stop)
    {
        var table = new int[stop.Length];
        var length = 0;
        for (var i = 1; i < stop.Length; i++)
        {
            while (length > 0 && stop[i] != stop[length]) length = table[length - 1];
            if (stop[i] == stop[length]) length++;
            table[i] = length;
        }

        return table;
    }
}
