using MambaRT.Backends.Cpu;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>Measures a machine's ceilings: read bandwidth and arithmetic peaks.</summary>
public static class Roofline
{
    /// <summary>Bounds of the file that is read.</summary>
    private const long LeastFile = 512L << 20, LargestFile = 2L << 30;

    /// <summary>Measures at 1 to N threads: every number up to 8, then powers of two.</summary>
    /// <param name="threads">Numbers of threads to measure beside those.</param>
    /// <param name="time">About how long each of the measurements takes.</param>
    /// <param name="progress">Told what is being done.</param>
    /// <param name="cancel">Looked at between the measurements, and while the file is written.</param>
    /// <exception cref="IOException">There is no room for a file of 512 MiB, or of four times the largest cache up to 2 GiB, in the temporary folder.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired; the file is gone.</exception>
    public static MachineRecord Measure(IEnumerable<int> threads, TimeSpan time, Action<string> progress, CancellationToken cancel = default)
    {
        int cores = Environment.ProcessorCount;
        var counts = new SortedSet<int>(threads.Append(cores));
        for (int n = 1; n <= cores; n += n < 8 ? 1 : n) counts.Add(n);
        var read = new SortedDictionary<int, double>();
        var int8 = new SortedDictionary<int, double>();
        var fp32 = new SortedDictionary<int, double>();
        using ScratchFolder scratch = ScratchFolder.Create(Path.GetTempPath());
        string path = Path.Combine(scratch.Path, "read");
        WriteFile(path, progress, cancel);
        using var file = new MappedFile(path);
        foreach (int n in counts)
        {
            cancel.ThrowIfCancellationRequested();
            read[n] = Probes.ReadBandwidth(file, n, time) / 1e9;
            cancel.ThrowIfCancellationRequested();
            int8[n] = Probes.Int8Peak(n, time) / 1e9;
            cancel.ThrowIfCancellationRequested();
            fp32[n] = Probes.Float32Peak(n, time) / 1e9;
            progress($"machine, {n} thread{(n == 1 ? "" : "s")}: reads {Text.Fixed(read[n], 1)} GB/s, int8 {Text.Fixed(int8[n], 0)} GOP/s, fp32 {Text.Fixed(fp32[n], 0)} GFLOP/s");
        }
        return new MachineRecord(Probes.ProcessorName, Probes.InstructionSets, cores, read, int8, fp32, []);
    }

    /// <summary>A file of zeros would be a hole; written pages stay in the page cache.</summary>
    private static void WriteFile(string path, Action<string> progress, CancellationToken cancel)
    {
        // Read over and over, a file of four caches finds little of itself in them. It must not push out what else is in memory.
        long room = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8;
        long bytes = Math.Clamp(4 * Probes.LargestCacheBytes, LeastFile, Math.Max(LeastFile, Math.Min(LargestFile, room)));
        progress($"machine: writing {bytes >> 20} MiB to measure reading");
        byte[] piece = new byte[1 << 20];
        new RandomBits(1).Fill(piece);
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0);
        for (long done = 0; done < bytes; done += piece.Length)
        {
            cancel.ThrowIfCancellationRequested();
            stream.Write(piece);
        }
    }
}
