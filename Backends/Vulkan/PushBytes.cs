using System.Runtime.CompilerServices;

namespace MambaRT.Backends.Vulkan;

/// <summary>Push constants as bytes.</summary>
internal static unsafe class PushBytes
{
    public static byte[] Of<TPush>(in TPush push) where TPush : unmanaged
    {
        byte[] bytes = new byte[sizeof(TPush)];
        Unsafe.WriteUnaligned(ref bytes[0], push);
        return bytes;
    }
}
