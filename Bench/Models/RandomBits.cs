using System.Runtime.InteropServices;

namespace MambaRT.Bench;

/// <summary>A fast seeded stream of random bits: the same on every machine. Source: xoshiro256+ by Blackman and Vigna, seeded by SplitMix64.</summary>
internal sealed class RandomBits
{
    private ulong _a, _b, _c, _d;

    public RandomBits(ulong seed)
    {
        _a = Mix(ref seed);
        _b = Mix(ref seed);
        _c = Mix(ref seed);
        _d = Mix(ref seed);
    }

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        ulong result = _a + _d, t = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= t;
        _d = ulong.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number from 0 to below 1.</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1L << 53));

    /// <summary>Fills memory with random bytes.</summary>
    public void Fill(Span<byte> bytes)
    {
        Span<ulong> whole = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i < whole.Length; i++) whole[i] = Next();
        ulong last = Next();
        foreach (ref byte b in bytes[(whole.Length * 8)..])
        {
            b = (byte)last;
            last >>= 8;
        }
    }

    private static ulong Mix(ref ulong seed)
    {
        ulong z = seed += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
