using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cpu;

/// <summary>Which units of a list of steps are taken, and how many are done.</summary>
/// <remarks>
/// <para>
/// Each member has a range of a step's units to itself: it reads weights in one stream, and finds the states of its channels in its own cache. When its own
/// are taken it takes those that others have not come to, so a member that lost its core holds up nothing but the unit it is in.
/// </para>
/// <para>
/// Every count names the run it belongs to (its epoch), and one of an earlier run counts as none: a run need not clear what the last one left. A latecomer
/// of an earlier run can take nothing, since that run ended with all its units taken, or closed.
/// </para>
/// </remarks>
/// <param name="steps">The most steps of a run.</param>
/// <param name="members">Members of the team.</param>
internal sealed class StepClaims(int steps, int members)
{
    private readonly Line[] _units = new Line[steps], _done = new Line[steps], _taken = new Line[steps * members];

    /// <summary>The most steps of a run.</summary>
    public int Steps => steps;

    /// <summary>Sets what a step has to do in a run. All steps are opened before the run is made known to others.</summary>
    public void Open(int step, int epoch, int units)
    {
        Volatile.Write(ref _done[step].Value, 0);
        Volatile.Write(ref _units[step].Value, Pack(epoch, units));
    }

    /// <summary>The units of a step.</summary>
    /// <returns>False when the run is over and another has begun.</returns>
    public bool TryUnits(int step, int epoch, out int units)
    {
        long opened = Volatile.Read(ref _units[step].Value);
        units = (int)opened;
        return Epoch(opened) == epoch;
    }

    /// <summary>The next unit for a member: of its own range while there is one.</summary>
    /// <returns>False when all are taken.</returns>
    public bool TryTake(int step, int epoch, int units, int member, out int unit)
    {
        for (int i = 0, owner = member; i < members; i++, owner = owner + 1 == members ? 0 : owner + 1)
        {
            int begin = Begin(units, owner, members), count = Begin(units, owner + 1, members) - begin;
            ref long taken = ref _taken[step * members + owner].Value;
            for (long seen = Volatile.Read(ref taken); Count(seen, epoch) is int next && next < count; seen = Volatile.Read(ref taken))
            {
                if (Interlocked.CompareExchange(ref taken, Pack(epoch, next + 1), seen) != seen) continue;
                unit = begin + next;
                return true;
            }
        }
        unit = -1;
        return false;
    }

    /// <summary>Notes that a unit is done.</summary>
    /// <returns>Units that are done.</returns>
    public long Finish(int step) => Interlocked.Increment(ref _done[step].Value);

    /// <summary>Units of a step that are done, to be waited on.</summary>
    public ref long Done(int step) => ref _done[step].Value;

    /// <summary>Lets nobody take a unit of the step any more.</summary>
    /// <returns>Units that were taken before.</returns>
    public int Close(int step, int epoch)
    {
        int sum = 0;
        for (int owner = 0; owner < members; owner++)
            sum += Count(Interlocked.Exchange(ref _taken[step * members + owner].Value, Pack(epoch, int.MaxValue)), epoch);
        return sum;
    }

    /// <summary>The first unit of a member's range; that of the member after the last is the number of units. The first members have one more than others.</summary>
    public static int Begin(int units, int member, int members) => (int)(((long)units * member + members - 1) / members);

    /// <summary>Units taken of a range: none where the count is an earlier run's, all where it is a later one's.</summary>
    private static int Count(long taken, int epoch)
    {
        int age = epoch - Epoch(taken);
        return age == 0 ? (int)taken : age > 0 ? 0 : int.MaxValue;
    }

    private static int Epoch(long packed) => (int)(packed >> 32);

    private static long Pack(int epoch, int count) => (long)epoch << 32 | (uint)count;

    /// <summary>A number in a cache line of its own: who takes units disturbs neither those of other ranges nor those who wait for the end.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct Line
    {
        [FieldOffset(0)] public long Value;
    }
}
