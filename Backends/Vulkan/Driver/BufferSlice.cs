using Buffer = Silk.NET.Vulkan.Buffer;

namespace MambaRT.Backends.Vulkan;

/// <summary>Part of a buffer, which somebody else owns.</summary>
/// <param name="Handle">The buffer's.</param>
/// <param name="Offset">Where the part begins, in bytes.</param>
/// <param name="Bytes">Its length.</param>
internal readonly record struct BufferSlice(Buffer Handle, long Offset, long Bytes)
{
    /// <summary>Whether two parts have a byte in common.</summary>
    public bool Overlaps(BufferSlice other) => Handle.Handle == other.Handle.Handle && Offset < other.Offset + other.Bytes && other.Offset < Offset + Bytes;

    /// <summary>A part of this part.</summary>
    public BufferSlice Part(long offset, long bytes) => new(Handle, Offset + offset, bytes);
}
