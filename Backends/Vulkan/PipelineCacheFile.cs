using System.Buffers.Binary;
using System.IO.Hashing;
using MambaRT.Formats;

namespace MambaRT.Backends.Vulkan;

/// <summary>What a driver made of shaders, kept in a file for the next time: one for each device, driver and set of shaders. What is damaged is dropped, and what cannot be written is not kept.</summary>
/// <param name="folder">Where; made when there is something to keep.</param>
/// <param name="key">Names device, driver and shaders.</param>
internal sealed class PipelineCacheFile(string folder, UInt128 key)
{
    private const int SumBytes = 16, HeaderBytes = 8 + SumBytes, MostBytes = 256 << 20;

    /// <summary>Where it lies.</summary>
    public string Path { get; } = System.IO.Path.Combine(folder, $"vulkan-{key:x32}.cache");

    /// <summary>What was kept; empty where nothing was, or it is damaged, and then it is deleted.</summary>
    public byte[] Read()
    {
        try
        {
            if (!File.Exists(Path)) return [];
            if (new FileInfo(Path).Length > 0)   // opening a pipe would wait for who writes into it
                using (var file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete))
                    if (Checked(file) is byte[] data) return data;
            File.Delete(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is made anew.
        }
        return [];
    }

    /// <summary>Keeps data in the place of what was kept: whole, or not at all.</summary>
    public void Write(ReadOnlyMemory<byte> data)
    {
        if (data.Length > MostBytes) return;
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        Sum(data.Span).CopyTo(header.AsSpan(Magic.Length));
        try
        {
            Directory.CreateDirectory(folder);
            WholeFile.Write(Path, file =>
            {
                file.Write(header);
                file.Write(data.Span);
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A place that takes nothing costs time at the next start, and nothing else.
        }
    }

    private static ReadOnlySpan<byte> Magic => "MRTVKPC1"u8;

    private static byte[]? Checked(FileStream file)
    {
        if (file.Length is < HeaderBytes or > MostBytes) return null;
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        ReadOnlySpan<byte> data = bytes.AsSpan(HeaderBytes);
        return bytes.AsSpan(0, Magic.Length).SequenceEqual(Magic) && bytes.AsSpan(Magic.Length, SumBytes).SequenceEqual(Sum(data)) ? data.ToArray() : null;
    }

    private static byte[] Sum(ReadOnlySpan<byte> data)
    {
        byte[] sum = new byte[SumBytes];
        BinaryPrimitives.WriteUInt128LittleEndian(sum, XxHash128.HashToUInt128(data));
        return sum;
    }
}
