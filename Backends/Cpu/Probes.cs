using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Measures what this machine can do at best: the ceilings that speeds are compared with.</summary>
/// <remarks>Each probe repeats short passes for about the time given and returns the fastest: another process can only slow one down.</remarks>
internal static unsafe class Probes
{
    private const int MinPasses = 5;

    /// <summary>Bytes that a member takes at a time in a read.</summary>
    private const long ReadUnit = 1 << 20;

    /// <summary>Bytes of each operand of the int8 probe: both fit a first-level cache.</summary>
    private const int Int8Bytes = 8 << 10;

    /// <summary>The processor's own name, or the architecture where it has none.</summary>
    public static string ProcessorName
    {
        get
        {
            if (!X86Base.IsSupported) return RuntimeInformation.ProcessArchitecture.ToString();
            Span<int> registers = stackalloc int[12];
            for (int i = 0; i < 3; i++)
                (registers[i * 4], registers[i * 4 + 1], registers[i * 4 + 2], registers[i * 4 + 3]) = X86Base.CpuId(unchecked((int)0x80000002) + i, 0);
            return Encoding.ASCII.GetString(MemoryMarshal.AsBytes(registers)).TrimEnd('\0').Trim();
        }
    }

    /// <summary>Bytes of the largest cache, whether or not others share it; 0 where the system does not tell.</summary>
    public static long LargestCacheBytes
    {
        get
        {
            long largest = 0;
            for (int i = 0; File.Exists(CacheSize(i)); i++)
            {
                ReadOnlySpan<char> text = File.ReadAllText(CacheSize(i)).AsSpan().Trim();   // "266240K"
                if (text.EndsWith("K") && long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long kilobytes)) largest = Math.Max(largest, kilobytes << 10);
            }
            return largest;

            static string CacheSize(int index) => string.Create(CultureInfo.InvariantCulture, $"/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        }
    }

    private static string Portable => AdvSimd.IsSupported ? "AdvSimd" : Vector128.IsHardwareAccelerated ? "128-bit SIMD" : "scalar";

    /// <summary>What the processor offers, whether kernels use it or not: "AVX2 FMA AVX512F AVX512-VNNI".</summary>
    public static string InstructionSets
    {
        get
        {
            if (!X86Base.IsSupported) return Portable;
            (_, int ebx, int ecx, _) = X86Base.CpuId(7, 0);
            (int eax1, _, _, _) = X86Base.CpuId(7, 1);
            var names = new List<string>();
            if (Avx2.IsSupported) names.Add("AVX2");
            if (Fma.IsSupported) names.Add("FMA");
            if ((eax1 >> 4 & 1) != 0) names.Add("AVX-VNNI");
            if ((ebx >> 16 & 1) != 0) names.Add("AVX512F");
            if ((ecx >> 11 & 1) != 0) names.Add("AVX512-VNNI");
            if ((eax1 >> 5 & 1) != 0) names.Add("AVX512-BF16");
            return names.Count > 0 ? string.Join(' ', names) : Portable;
        }
    }

    /// <summary>Bytes per second at which threads together read a mapped file whose pages are in memory.</summary>
    /// <param name="file">Much larger than the caches; a first pass brings its pages in.</param>
    /// <param name="threads">Threads that share the file.</param>
    /// <param name="time">About how long to measure.</param>
    public static double ReadBandwidth(MappedFile file, int threads, TimeSpan time)
    {
        byte* data = (byte*)file.Address;
        long whole = file.Length / ReadUnit * ReadUnit;
        if (whole == 0) throw new ArgumentException($"{file.Path}: {file.Length} bytes are too few to measure reading; {ReadUnit} are needed at least.", nameof(file));
        long next = 0;
        double best = Fastest(threads, time, () => next = 0, _ =>
        {
            ulong sum = 0;
            for (long at; (at = Interlocked.Add(ref next, ReadUnit) - ReadUnit) < whole;) sum += Sum(data + at, ReadUnit);
            return sum;
        });
        GC.KeepAlive(file);
        return whole / best;
    }

    /// <summary>Operations per second of float32 fused multiply-adds in registers, two for each.</summary>
    /// <param name="threads">Threads at once.</param>
    /// <param name="time">About how long to measure.</param>
    public static double Float32Peak(int threads, TimeSpan time)
    {
        const int Rounds = 2_000_000;
        double best = Fastest(threads, time, () => { }, _ => (ulong)Math.Abs(MultiplyAdds(Rounds)));
        return 2.0 * 12 * 8 * Rounds * threads / best;
    }

    /// <summary>Operations per second of int8 dot products from the first-level cache, two for each multiply-add; on x86 by vpmaddubsw and vpmaddwd.</summary>
    /// <param name="threads">Threads at once.</param>
    /// <param name="time">About how long to measure.</param>
    public static double Int8Peak(int threads, TimeSpan time)
    {
        const int Rounds = 40_000;
        using var memory = new NativeBuffer((long)threads * 2 * Int8Bytes);
        for (int i = 0; i < memory.Bytes; i++) ((byte*)memory.Address)[i] = (byte)(i * 7 & 31);
        byte* data = (byte*)memory.Address;
        double best = Fastest(threads, time, () => { }, member =>
        {
            byte* a = data + (long)member * 2 * Int8Bytes;
            ulong sum = 0;
            for (int round = 0; round < Rounds; round++) sum += (uint)Dot(a, (sbyte*)a + Int8Bytes);
            return sum;
        });
        return 2.0 * Int8Bytes * Rounds * threads / best;
    }

    /// <summary>Seconds of the fastest pass, from when the first thread began to when the last was done.</summary>
    /// <remarks>Each thread reads the clock itself: one that is woken late must not make the pass look short.</remarks>
    private static double Fastest(int threads, TimeSpan time, Action prepare, Func<int, ulong> work)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        double best = double.MaxValue;
        bool stop = false;
        var began = new long[threads];
        var ended = new long[threads];
        var sinks = new ulong[threads];
        using var gate = new Barrier(threads);
        void Pass(int member)
        {
            began[member] = Stopwatch.GetTimestamp();
            sinks[member] += work(member);
            ended[member] = Stopwatch.GetTimestamp();
            gate.SignalAndWait();
        }

        void Serve(int member)
        {
            while (true)
            {
                gate.SignalAndWait();
                if (Volatile.Read(ref stop)) return;
                Pass(member);
            }
        }

        var helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            int member = i + 1;
            helpers[i] = new Thread(() => Serve(member)) { IsBackground = true };
            helpers[i].Start();
        }
        var clock = Stopwatch.StartNew();
        for (int pass = -1; pass < MinPasses || clock.Elapsed < time; pass++)
        {
            prepare();
            gate.SignalAndWait();
            Pass(0);
            double seconds = Stopwatch.GetElapsedTime(began.Min(), ended.Max()).TotalSeconds;
            if (pass >= 0) best = Math.Min(best, seconds);   // the first pass warms up
        }
        Volatile.Write(ref stop, true);
        gate.SignalAndWait();
        foreach (Thread helper in helpers) helper.Join();
        GC.KeepAlive(sinks);
        return best;
    }

    /// <summary>Adds up whole units; four sums hide the latency of an addition.</summary>
    private static ulong Sum(byte* data, long bytes)
    {
        Vector256<ulong> a = default, b = default, c = default, d = default;
        for (byte* end = data + bytes; data < end; data += 128)
        {
            a += Vector256.Load((ulong*)data);
            b += Vector256.Load((ulong*)(data + 32));
            c += Vector256.Load((ulong*)(data + 64));
            d += Vector256.Load((ulong*)(data + 96));
        }
        return Vector256.Sum(a + b + c + d);
    }

    /// <summary>Twelve chains: more than the latency of a multiply-add times two ports needs.</summary>
    private static float MultiplyAdds(int rounds)
    {
        Vector256<float> a = Vector256.Create(0.999f), b = Vector256.Create(0.001f);
        Vector256<float> s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b, s8 = b, s9 = b, s10 = b, s11 = b;
        for (int i = 0; i < rounds; i++)
        {
            s0 = Vector256.FusedMultiplyAdd(s0, a, b);
            s1 = Vector256.FusedMultiplyAdd(s1, a, b);
            s2 = Vector256.FusedMultiplyAdd(s2, a, b);
            s3 = Vector256.FusedMultiplyAdd(s3, a, b);
            s4 = Vector256.FusedMultiplyAdd(s4, a, b);
            s5 = Vector256.FusedMultiplyAdd(s5, a, b);
            s6 = Vector256.FusedMultiplyAdd(s6, a, b);
            s7 = Vector256.FusedMultiplyAdd(s7, a, b);
            s8 = Vector256.FusedMultiplyAdd(s8, a, b);
            s9 = Vector256.FusedMultiplyAdd(s9, a, b);
            s10 = Vector256.FusedMultiplyAdd(s10, a, b);
            s11 = Vector256.FusedMultiplyAdd(s11, a, b);
        }
        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + (s6 + s7 + s8 + s9 + s10 + s11));
    }

    private static int Dot(byte* x, sbyte* y)
    {
        Vector256<int> a = default, b = default, c = default, d = default;
        for (int i = 0; i < Int8Bytes; i += 128)
        {
            a += Products(Vector256.Load(x + i), Vector256.Load(y + i));
            b += Products(Vector256.Load(x + i + 32), Vector256.Load(y + i + 32));
            c += Products(Vector256.Load(x + i + 64), Vector256.Load(y + i + 64));
            d += Products(Vector256.Load(x + i + 96), Vector256.Load(y + i + 96));
        }
        return Vector256.Sum(a + b + (c + d));
    }

    /// <summary>Thirty-two products in eight sums of four.</summary>
    private static Vector256<int> Products(Vector256<byte> x, Vector256<sbyte> y)
    {
        if (Avx2.IsSupported) return Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(x, y), Vector256<short>.One);
        (Vector256<ushort> xl, Vector256<ushort> xh) = Vector256.Widen(x);
        (Vector256<short> yl, Vector256<short> yh) = Vector256.Widen(y);
        // Values below 32 keep the sum of two products within 16 bits.
        (Vector256<int> low, Vector256<int> high) = Vector256.Widen(xl.AsInt16() * yl + xh.AsInt16() * yh);
        return low + high;
    }
}
