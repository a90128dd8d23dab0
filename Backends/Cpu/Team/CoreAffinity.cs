using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cpu;

/// <summary>Which cores the calling thread may run on; Linux only. Source: sched_setaffinity(2), whose thread 0 is the caller.</summary>
internal static unsafe partial class CoreAffinity
{
    /// <summary>Cores that the C library's cpu_set_t holds.</summary>
    public const int MaxCores = 1024;

    /// <summary>Refuses cores that a team cannot be pinned to.</summary>
    /// <exception cref="PlatformNotSupportedException">The system has no such call.</exception>
    /// <exception cref="ArgumentException">A core stands twice, or the caller may not use it.</exception>
    public static void Check(IReadOnlyList<int> cores)
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("Threads can be pinned to cores on Linux only; leave the cores out, and the system places the threads.");
        CoreSet allowed = Current;
        CoreSet seen = default;
        foreach (int core in cores)
        {
            if (!allowed.Contains(core))
                throw new ArgumentException($"Core {core} is none that this process may use; choose from {allowed}.", nameof(cores));
            if (seen.Contains(core)) throw new ArgumentException($"Core {core} is given twice; give each thread one of its own.", nameof(cores));
            seen.Add(core);
        }
    }

    /// <summary>The cores that the calling thread may use.</summary>
    /// <exception cref="PlatformNotSupportedException">The machine has more cores than <see cref="MaxCores"/>.</exception>
    public static CoreSet Current
    {
        get
        {
            CoreSet cores = default;
            return GetAffinity(0, (nuint)sizeof(CoreSet), &cores) == 0 ? cores
                : throw new PlatformNotSupportedException($"The system does not tell which cores this process may use (it may have more than {MaxCores}); leave the cores out.");
        }
    }

    /// <summary>Keeps the calling thread on one core.</summary>
    public static void Pin(int core)
    {
        CoreSet cores = default;
        cores.Add(core);
        Set(cores);
    }

    /// <summary>Lets the calling thread run on these cores. Where an administrator has taken them away meanwhile, it stays where the system put it.</summary>
    public static void Set(CoreSet cores) => Set(0, cores);

    /// <summary>Lets another thread of this process, named by its number in the system, run on these cores.</summary>
    public static void Set(int thread, CoreSet cores) => _ = SetAffinity(thread, (nuint)sizeof(CoreSet), &cores);

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint bytes, CoreSet* cores);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint bytes, CoreSet* cores);

    /// <summary>A set of cores: a bit each.</summary>
    [InlineArray(MaxCores / 64)]
    internal struct CoreSet
    {
        private ulong _first;

        public readonly bool Contains(int core) => core is >= 0 and < MaxCores && (this[core / 64] >> core % 64 & 1) != 0;

        public readonly int Count
        {
            get
            {
                int count = 0;
                foreach (ulong bits in this) count += BitOperations.PopCount(bits);
                return count;
            }
        }

        public static CoreSet Of(int core)
        {
            CoreSet one = default;
            one.Add(core);
            return one;
        }

        public void Add(int core) => this[core / 64] |= 1UL << core % 64;

        public void Remove(int core) => this[core / 64] &= ~(1UL << core % 64);

        /// <summary>Such as "0-3, 8".</summary>
        public override readonly string ToString()
        {
            var parts = new List<string>();
            for (int core = 0; core < MaxCores; core++)
            {
                if (!Contains(core)) continue;
                int first = core;
                while (Contains(core + 1)) core++;
                parts.Add(first == core ? first.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{first}-{core}"));
            }
            return string.Join(", ", parts);
        }
    }
}
