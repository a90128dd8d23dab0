using System.Diagnostics;

namespace MambaRT.Backends.Cpu;

/// <summary>A list of steps that is run for a time and resumed: some units, a look at the clock, some more.</summary>
/// <remarks>
/// How many units are handed out before the next look follows from how long those of the step took before, so that a look comes about every
/// <see cref="BetweenLooks"/>. With units of other lengths, as other numbers of rows have, that begins anew.
/// </remarks>
internal sealed class SlicedRun(ITeam team)
{
    /// <summary>Long against handing out units, about 3 µs; with the longest unit it is what a caller's time may be exceeded by.</summary>
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMicroseconds(50);

    private readonly UnitRange[] _one = [new UnitRange { Name = "slice" }];
    private Step[] _steps = [];
    private int[] _together = [];
    private int _rows, _step, _unit;

    /// <summary>Begins a run.</summary>
    /// <param name="steps">What it does.</param>
    /// <param name="rows">Rows of the batch.</param>
    public void Begin(Step[] steps, int rows)
    {
        if (steps != _steps || rows != _rows)
        {
            if (_together.Length < steps.Length) _together = new int[steps.Length];
            Array.Fill(_together, team.Size);
        }
        (_steps, _rows, _step, _unit) = (steps, rows, 0, 0);
    }

    /// <summary>Goes on for a time, by one unit a member at least.</summary>
    /// <returns>Whether all is done.</returns>
    public bool Advance(TimeSpan time)
    {
        long began = Stopwatch.GetTimestamp();
        for (; _step < _steps.Length; (_step, _unit) = (_step + 1, 0))
            for (int units = _steps[_step].Slices; _unit < units;)
            {
                RunSome(units);
                if (Stopwatch.GetElapsedTime(began) >= time) return _unit == units && _step + 1 == _steps.Length;
            }
        return true;
    }

    private void RunSome(int units)
    {
        int count = Math.Min(_together[_step], units - _unit);
        _one[0].Set(_steps[_step], _unit, count);
        long began = Stopwatch.GetTimestamp();
        team.Run(_one, CancellationToken.None);
        _unit += count;
        if (count < _together[_step]) return;   // a rest says little
        double share = BetweenLooks / Stopwatch.GetElapsedTime(began);
        _together[_step] = (int)Math.Clamp(count * share, team.Size, 2L * count);
    }
}
