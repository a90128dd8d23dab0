using System.Buffers;
using System.IO.Compression;
using System.Reflection;

namespace MambaRT.Devices;

/// <summary>Resources of an assembly that are packed by Brotli, as a backend's kernels are: their text takes a tenth so (gzip: a sixth).</summary>
public static class PackedResource
{
    /// <summary>A resource, unpacked. The decoder alone is used: a stream would bring the encoder into an executable (0.7 MB). Any thread may call it.</summary>
    /// <param name="assembly">Where it is embedded.</param>
    /// <param name="name">Its name there.</param>
    /// <returns>Its bytes, or null where there is no such resource.</returns>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static byte[]? Read(Assembly assembly, string name)
    {
        using Stream? resource = assembly.GetManifestResourceStream(name);
        if (resource is null) return null;
        byte[] packed = new byte[resource.Length];
        resource.ReadExactly(packed);
        return Unpack(packed) ?? throw new InvalidDataException($"resource '{name}' of {assembly.GetName().Name} is damaged: it does not unpack; install MambaRT again");
    }

    /// <summary>What was packed; null where it is damaged or cut short.</summary>
    internal static byte[]? Unpack(ReadOnlySpan<byte> packed)
    {
        using BrotliDecoder decoder = default;
        byte[] unpacked = new byte[256 + (12 * packed.Length)];
        int written = 0;
        while (true)
        {
            OperationStatus status = decoder.Decompress(packed, unpacked.AsSpan(written), out int read, out int made);
            packed = packed[read..];
            written += made;
            if (status == OperationStatus.Done) return packed.IsEmpty ? unpacked[..written] : null;
            if (status != OperationStatus.DestinationTooSmall) return null;
            Array.Resize(ref unpacked, 2 * unpacked.Length);
        }
    }
}
