using System.Runtime.Intrinsics;

namespace MambaRT.Formats;

/// <summary>How the formats of 32 values pack their numbers.</summary>
internal static class Nibbles
{
    /// <summary>The low four bits of 32 numbers: number k in the low half of byte k, number k + 16 in the high half.</summary>
    public static void Pack(ReadOnlySpan<byte> q, Span<byte> packed)
    {
        Vector128<byte> low = Vector128.Create(q[..16]), high = Vector128.Create(q.Slice(16, 16));
        Vector128<byte> four = Vector128.Create((byte)15);
        (low & four | ((high & four).AsUInt16() << 4).AsByte()).CopyTo(packed);
    }

    /// <summary>The fifth bits of 32 numbers: bit i belongs to number i.</summary>
    public static uint FifthBits(ReadOnlySpan<byte> q)
    {
        // The fifth bit becomes its byte's highest; the three above it are clear.
        return (Vector256.Create(q[..32]).AsUInt16() << 3).AsByte().ExtractMostSignificantBits();
    }
}
