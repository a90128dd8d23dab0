using System.Globalization;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Native memory: which pages it asks the system for.</summary>
public sealed class NativeBufferTests
{
    /// <summary>A huge page is made whole at its first touch, which is longer than a step for a time may be exceeded by.</summary>
    [MachineFact(Needs.Linux)]
    public void Buffer_TouchedInParts_AsksForNoHugePages()
    {
        using var whole = new NativeBuffer(8 << 20);
        using var parts = new NativeBuffer(8 << 20, inParts: true);
        if (FlagsOf(whole).Contains("hg")) Assert.Contains("nh", FlagsOf(parts));   // else this system knows none
    }

    /// <summary>What the system was told of the mapping in whose midst a buffer lies.</summary>
    private static string[] FlagsOf(NativeBuffer buffer)
    {
        ulong at = (ulong)buffer.Address + (4 << 20);
        bool isIt = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string[] ends = words[0].Split('-');
            if (ends.Length == 2 && ulong.TryParse(ends[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong begin))
                isIt = at >= begin && at < ulong.Parse(ends[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            else if (isIt && words[0] == "VmFlags:") return words[1..];
        }
        return [];
    }
}
