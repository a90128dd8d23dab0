using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT;

/// <summary>The state of one sequence as portable bytes, bound to its model by fingerprint.</summary>
/// <remarks>
/// File layout, little-endian: magic "MRTSTATE" / u32 layout version (1) / u32 value type (0 = float32) / 16 bytes model fingerprint /
/// i64 tokens absorbed / i64 state bytes / i64 attachment bytes / state in <see cref="StateLayout"/>'s order / attachment / 16 bytes XxHash128 of all before.
/// Immutable; safe to share between threads.
/// </remarks>
public sealed class StateSnapshot
{
    private const int HeaderBytes = 56, HashBytes = 16, LayoutVersion = 1, Float32 = 0;

    /// <summary>More than anybody will feed, and far enough from the end of a long to go on counting.</summary>
    private const long MostTokens = 1L << 56;

    internal StateSnapshot(UInt128 fingerprint, long position, ReadOnlyMemory<byte> state, ReadOnlyMemory<byte> attachment)
    {
        Fingerprint = fingerprint;
        Position = position;
        State = state;
        Attachment = attachment;
    }

    /// <summary>The model's fingerprint.</summary>
    public UInt128 Fingerprint { get; }

    /// <summary>Tokens absorbed.</summary>
    public long Position { get; }

    /// <summary>Canonical bytes of the slot.</summary>
    public ReadOnlyMemory<byte> State { get; }

    /// <summary>Bytes kept beside the state.</summary>
    public ReadOnlyMemory<byte> Attachment { get; }

    /// <summary>The canonical bytes to be read.</summary>
    internal Stream OpenState() => MemoryMarshal.TryGetArray(State, out ArraySegment<byte> array)
        ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)   // an array that was found
        : new MemoryStream(State.ToArray(), writable: false);

    private static ReadOnlySpan<byte> Magic => "MRTSTATE"u8;

    /// <summary>Writes the file under a temporary name, flushes it to the disk and renames it: a crash leaves the old file or the new one, never half of one.</summary>
    /// <exception cref="IOException">The place is a folder, a device or a file of another kind, its folder is missing, or writing fails.</exception>
    public void WriteFile(string path)
    {
        EnsureReplaceable(path);
        WholeFile.Write(path, stream => stream.Write(ToBytes()));
    }

    /// <summary>Refuses to replace what is no state file; an empty file or none at all may become one.</summary>
    /// <exception cref="IOException">It is a file of another kind, or one that may not be read to tell.</exception>
    public static void EnsureReplaceable(string path)
    {
        if (FileIdentity.Of(path) is not { IsRegular: true }) return;   // nothing is there, or writing says what
        Span<byte> start = stackalloc byte[Magic.Length];
        int count;
        try
        {
            using FileStream stream = File.OpenRead(path);
            count = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"'{path}' may not be read, so it is not known whether it is a saved state, which alone is replaced; choose another name.", e);
        }
        if (count > 0 && !start[..count].SequenceEqual(Magic))
            throw new IOException($"'{path}' is not a saved state and would be lost; only saved states are replaced, so choose another name.");
    }

    /// <summary>Reads and checks a whole file.</summary>
    /// <exception cref="IOException">There is no such file, or it cannot be read.</exception>
    /// <exception cref="FormatException">It is not a state file, of another version, truncated, or damaged.</exception>
    public static StateSnapshot ReadFile(string path)
    {
        PathKinds.RequireFile(path, "a file written by a session's save");
        if (new FileInfo(path) is { Exists: true, Length: 0 })
            throw new FormatException($"{path}: the file is empty. Choose a file written by a session's save.");
        using FileStream stream = File.OpenRead(path);
        if (stream.Length < HeaderBytes + HashBytes || stream.Length > int.MaxValue)
            throw new FormatException($"{path}: {stream.Length} bytes cannot be a saved state. Choose a file written by a session's save.");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return Parse(bytes, path);
    }

    /// <summary>Bytes of the file of a state of so many bytes, without an attachment.</summary>
    public static long BytesOf(long state) => HeaderBytes + state + HashBytes;

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[checked(HeaderBytes + State.Length + Attachment.Length + HashBytes)];
        Span<byte> at = bytes;
        Magic.CopyTo(at);
        BinaryPrimitives.WriteInt32LittleEndian(at[8..], LayoutVersion);
        BinaryPrimitives.WriteInt32LittleEndian(at[12..], Float32);
        BinaryPrimitives.WriteUInt128LittleEndian(at[16..], Fingerprint);
        BinaryPrimitives.WriteInt64LittleEndian(at[32..], Position);
        BinaryPrimitives.WriteInt64LittleEndian(at[40..], State.Length);
        BinaryPrimitives.WriteInt64LittleEndian(at[48..], Attachment.Length);
        State.Span.CopyTo(at[HeaderBytes..]);
        Attachment.Span.CopyTo(at[(HeaderBytes + State.Length)..]);
        XxHash128.Hash(at[..^HashBytes], at[^HashBytes..]);
        return bytes;
    }

    /// <summary>Checks everything before anything is used.</summary>
    /// <param name="bytes">A whole file.</param>
    /// <param name="subject">What errors are about: the file's path.</param>
    public static StateSnapshot Parse(ReadOnlyMemory<byte> bytes, string subject)
    {
        ReadOnlySpan<byte> at = bytes.Span;
        if (at.Length < HeaderBytes + HashBytes || !at[..8].SequenceEqual(Magic))
            throw new FormatException($"{subject}: this is not a saved state (its first bytes are not 'MRTSTATE'). Choose a file written by a session's save.");
        int version = BinaryPrimitives.ReadInt32LittleEndian(at[8..]), type = BinaryPrimitives.ReadInt32LittleEndian(at[12..]);
        if (version != LayoutVersion || type != Float32)
            throw new FormatException($"{subject}: the saved state has layout version {version} and value type {type}; this version reads {LayoutVersion} and {Float32}. Save it again.");
        long position = BinaryPrimitives.ReadInt64LittleEndian(at[32..]);
        long state = BinaryPrimitives.ReadInt64LittleEndian(at[40..]), attachment = BinaryPrimitives.ReadInt64LittleEndian(at[48..]);
        long room = at.Length - HeaderBytes - HashBytes;
        if (position is < 0 or > MostTokens || state < 0 || attachment < 0 || state > room || attachment != room - state)
            throw new FormatException($"{subject}: the file has {at.Length} bytes and its header speaks of {state} for the state, {attachment} beside it and {position} tokens; it was cut off or damaged. Use another copy.");
        Span<byte> hash = stackalloc byte[HashBytes];
        XxHash128.Hash(at[..^HashBytes], hash);
        if (!hash.SequenceEqual(at[^HashBytes..]))
            throw new FormatException($"{subject}: the checksum does not match; the file is damaged. Use another copy.");
        return new StateSnapshot(BinaryPrimitives.ReadUInt128LittleEndian(at[16..]), position,
            bytes.Slice(HeaderBytes, (int)state), bytes.Slice(HeaderBytes + (int)state, (int)attachment));
    }
}
