using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>
/// Products of bytes, summed exactly into ints: lane i of the sum takes the products of bytes 4i to 4i + 3. A type argument of the kernels, so
/// that the choice is made once and not in the inner loop; all of them give the same integers.
/// </summary>
internal interface IInt8Dot
{
    /// <summary>Whether <see cref="AddUnsigned"/> is exact for w up to 255; else up to 63.</summary>
    static abstract bool WideUnsigned { get; }

    /// <summary>sum + w·x for w in −128..127 and x in −127..127.</summary>
    static abstract Vector256<int> AddSigned(Vector256<int> sum, Vector256<sbyte> w, Vector256<sbyte> x);

    /// <summary>sum + w·x for unsigned w and x in −127..127.</summary>
    static abstract Vector256<int> AddUnsigned(Vector256<int> sum, Vector256<byte> w, Vector256<sbyte> x);

    /// <summary>Whether there are <see cref="Pairs"/>: it is then cheaper to add these up and to make ints of them seldom.</summary>
    static virtual bool ByPairs => false;

    /// <summary>w·x of two neighbours for w up to 128: half of what <see cref="AddUnsigned"/> adds, a lane of 16 bit each.</summary>
    static virtual Vector256<short> Pairs(Vector256<byte> w, Vector256<sbyte> x) => throw new NotSupportedException();

    /// <summary>Sums of two neighbouring sums.</summary>
    static virtual Vector256<int> Fours(Vector256<short> pairs) => throw new NotSupportedException();
}
