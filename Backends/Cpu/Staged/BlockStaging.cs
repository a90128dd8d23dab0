using System.Runtime.Intrinsics.X86;

namespace MambaRT.Backends.Cpu;

/// <param name="codebook">Pinned, or empty.</param>
internal sealed unsafe class BlockStaging<TBlock>(byte[] codebook) : Staging where TBlock : struct, IStagedBlock
{
    /// <summary>How far ahead memory is asked for: the machine's own foresight ends at the page.</summary>
    private const int AheadBytes = 4096;

    private readonly byte[] _codebook = codebook;   // keeps what the kernels' pointer leads to

    public override void Unpack(byte* rows, long rowBytes, int count, int columns, byte* to)
    {
        fixed (byte* points = _codebook)
            for (; count > 0; count--, rows += rowBytes)
            {
                byte* block = rows;
                for (int left = columns / 32; left > 0; left -= 8, block += TBlock.Bytes, to += StagedInt8.Bytes)
                {
                    if (Sse.IsSupported) Sse.Prefetch0(block + AheadBytes);
                    if (Sse.IsSupported && TBlock.Bytes > 64) Sse.Prefetch0(block + AheadBytes + 64);
                    if (left < 8) new Span<float>(to + StagedInt8.ScalesAt, 16).Clear();
                    TBlock.Unpack(block, Math.Min(left, 8), points, to, (float*)(to + StagedInt8.ScalesAt));
                }
            }
    }
}
