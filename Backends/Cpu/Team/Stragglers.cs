using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// Members of a team that lost their core to another process in the middle of a unit: one who waits for such a unit changes cores with its holder. Without
/// that the system leaves the waiter's core idle for the rest of the other process's time slice, since it does not move a thread that ran a moment ago.
/// Linux only.
/// </summary>
/// <remarks>
/// Beside a process that is always busy, two threads on two cores went from 0.54 to 0.93 of their speed alone in decode and from 0.64 to 0.77 or more in
/// prompts. Whether a thread is being run is told by its processor time, which then passes. Sources: sched_setaffinity(2), sched_getcpu(3), and
/// clock_gettime(2) with the clock of another thread, as pthread_getcpuclockid(3) makes it.
/// </remarks>
internal sealed unsafe partial class Stragglers
{
    private readonly Member[] _members;

    private Stragglers(int members) => _members = new Member[members];

    /// <summary>For a team whose threads the system places. Null where nothing can be done, or where members take one another's cores: there are fewer of those.</summary>
    public static Stragglers? For(int members) => OperatingSystem.IsLinux() && members > 1 && CanMove(members) ? new Stragglers(members) : null;

    /// <summary>Makes the calling thread known as a member.</summary>
    public void Enter(int member)
    {
        ref Member own = ref _members[member];
        own.Cores = CoreAffinity.Current;
        Volatile.Write(ref own.Thread, GetThread());
    }

    /// <summary>Gives the calling thread back the cores that it came with.</summary>
    public void Restore(int member)
    {
        ref Member own = ref _members[member];
        if (Volatile.Read(ref own.Moved) != 0 && Interlocked.Exchange(ref own.Moved, 0) != 0) CoreAffinity.Set(own.Cores);
    }

    /// <summary>A member takes up a unit.</summary>
    public void Begin(int member) => Volatile.Write(ref _members[member].Busy, 1);

    /// <summary>A member's unit is done.</summary>
    public void End(int member)
    {
        Volatile.Write(ref _members[member].Busy, 0);
        Restore(member);
    }

    /// <summary>Looks at those who hold a unit; one whose time stood still since the last look is moved to the caller's core, and the caller to the others.</summary>
    /// <returns>Whether one was moved, so that the caller had better sleep.</returns>
    /// <remarks>A few calls into the system for each busy member, about a microsecond; a caller that waits has that time.</remarks>
    public bool Lend(int self)
    {
        for (int i = 0; i < _members.Length; i++)
        {
            ref Member other = ref _members[i];
            if (i == self || Volatile.Read(ref other.Busy) == 0) continue;
            long time = ProcessorTime(other.Thread);
            bool still = time == Interlocked.Exchange(ref other.Time, time);
            if (!still || Interlocked.CompareExchange(ref other.Moved, 1, 0) != 0) continue;
            int core = GetCpu();
            CoreAffinity.Set(other.Thread, CoreAffinity.CoreSet.Of(core));
            // It may have ended its unit meanwhile: it then restored its cores before they were changed, or will not look again.
            bool undone = Volatile.Read(ref other.Moved) == 0 || (Volatile.Read(ref other.Busy) == 0 && Interlocked.Exchange(ref other.Moved, 0) != 0);
            if (undone) CoreAffinity.Set(other.Thread, other.Cores);
            else Leave(self, core);
            return !undone;
        }
        return false;
    }

    /// <summary>Moves the caller off a core, if it may use others: woken on the same one, it would be the next to stand in the way.</summary>
    private void Leave(int self, int core)
    {
        ref Member own = ref _members[self];
        CoreAffinity.CoreSet others = own.Cores;
        others.Remove(core);
        if (others.Count == 0 || Interlocked.CompareExchange(ref own.Moved, 1, 0) != 0) return;
        CoreAffinity.Set(others);
    }

    private static bool CanMove(int members)
    {
        try
        {
            return ProcessorTime(GetThread()) > 0 && GetCpu() is >= 0 and < CoreAffinity.MaxCores && CoreAffinity.Current.Count >= members;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException or PlatformNotSupportedException)
        {
            return false;   // a C library older than gettid, or more cores than a set holds
        }
    }

    /// <summary>Nanoseconds for which a thread of this process has been run.</summary>
    private static long ProcessorTime(int thread)
    {
        TimeSpec time;
        return GetClock(~thread << 3 | 6, &time) == 0 ? time.Seconds * 1_000_000_000 + time.Nanoseconds : -1;
    }

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int GetThread();

    [LibraryImport("libc", EntryPoint = "sched_getcpu")]
    private static partial int GetCpu();

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetClock(int clock, TimeSpec* time);

    private struct TimeSpec
    {
        public long Seconds, Nanoseconds;
    }

    /// <summary>What is known of a member, in a cache line of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct Member
    {
        [FieldOffset(0)] public long Time;
        [FieldOffset(8)] public int Thread;
        [FieldOffset(12)] public int Busy;
        [FieldOffset(16)] public int Moved;
        [FieldOffset(24)] public CoreAffinity.CoreSet Cores;
    }
}
