namespace MambaRT.Formats;

/// <summary>How the formats of 32 values pack their numbers.</summary>
internal static class Nibbles
{
    /// <summary>The low four bits of 32 numbers: number k in the low half of byte k, number k + 16 in the high half.</summary>
    public static void Pack(ReadOnlySpan<byte> q, Span<byte> packed)
    {
        ReadOnlySpan<byte> low = q[..16], high = q.Slice(16, 16);
        packed = packed[..16];
        for (int k = 0; k < packed.Length; k++) packed[k] = (byte)(low[k] & 15 | high[k] << 4);
    }

    /// <summary>The fifth bits of 32 numbers: bit i belongs to number i.</summary>
    public static uint FifthBits(ReadOnlySpan<byte> q)
    {
        uint bits = 0;
        for (int i = 0; i < q.Length; i++) bits |= (uint)(q[i] >> 4) << i;
        return bits;
    }
}
