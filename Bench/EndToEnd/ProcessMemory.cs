using System.Diagnostics;
using System.Globalization;

namespace MambaRT.Bench;

/// <summary>Memory of this process.</summary>
public static class ProcessMemory
{
    /// <summary>Forgets the peak so far, where the system can (Linux).</summary>
    public static void ResetPeak()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The peak then includes what ran before, which is what other systems report.
        }
    }

    /// <summary>Most bytes resident since the last reset.</summary>
    public static long Peak => Status("VmHWM:") ?? Process(p => p.PeakWorkingSet64);

    /// <summary>Bytes resident now.</summary>
    public static long Now => Status("VmRSS:") ?? Process(p => p.WorkingSet64);

    private static long Process(Func<Process, long> read)
    {
        using Process process = System.Diagnostics.Process.GetCurrentProcess();
        return read(process);
    }

    /// <summary>A line of /proc/self/status, "VmHWM:    1234 kB", in bytes.</summary>
    private static long? Status(string key)
    {
        if (!OperatingSystem.IsLinux()) return null;
        foreach (string line in File.ReadLines("/proc/self/status"))
            if (line.StartsWith(key, StringComparison.Ordinal) && line.EndsWith(" kB", StringComparison.Ordinal)
                && long.TryParse(line.AsSpan(key.Length, line.Length - key.Length - 3), NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out long kilobytes))
                return kilobytes << 10;
        return null;
    }
}
