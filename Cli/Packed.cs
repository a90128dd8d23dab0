using System.Buffers.Binary;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>A model appended to an executable: where it lies, and how it gets there.</summary>
/// <remarks>
/// The file is the executable, zeros up to a multiple of 64 KiB (so that the model can be mapped at its offset on every system),
/// the model, and 24 bytes: magic "MRTMODEL", i64 offset, i64 length, little-endian.
/// </remarks>
internal static class Packed
{
    public const int TrailerBytes = 24;

    private const int Alignment = 1 << 16, CopyBytes = 1 << 20;

    private static ReadOnlySpan<byte> Magic => "MRTMODEL"u8;

    /// <summary>Finds the model inside a file; null when there is none.</summary>
    /// <exception cref="FormatException">The trailer contradicts the file.</exception>
    public static (long Offset, long Length)? Find(string path)
    {
        if (PathKinds.Of(path) != PathKind.File) return null;   // asked before opening, which would wait for a pipe's writer
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        if (file.Length < TrailerBytes) return null;
        Span<byte> trailer = stackalloc byte[TrailerBytes];
        file.Seek(-TrailerBytes, SeekOrigin.End);
        file.ReadExactly(trailer);
        if (!trailer[..8].SequenceEqual(Magic)) return null;
        long offset = BinaryPrimitives.ReadInt64LittleEndian(trailer[8..]), length = BinaryPrimitives.ReadInt64LittleEndian(trailer[16..]);
        long room = file.Length - TrailerBytes;
        if (offset <= 0 || offset % Alignment != 0 || offset > room || length <= 0 || length != room - offset)
            throw new FormatException($"{path}: the model appended to it was cut off or damaged ({file.Length} bytes, the model at {offset} with {length}); pack it again.");
        return (offset, length);
    }

    /// <summary>Writes <paramref name="output"/> under a temporary name and renames it when it is whole.</summary>
    /// <param name="executable">A program, with or without a model; a model it has is left out.</param>
    /// <param name="model">The model to append.</param>
    /// <param name="output">Where to.</param>
    /// <param name="progress">Called with the share done, 0 to 1.</param>
    /// <param name="cancel">Stops; nothing is left behind.</param>
    public static long Write(string executable, ModelFile model, string output, Action<double> progress, CancellationToken cancel)
    {
        long size = 0;
        WholeFile.Write(output, file => size = Write(executable, model, file, progress, cancel));
        return size;
    }

    private static long Write(string executable, ModelFile model, FileStream file, Action<double> progress, CancellationToken cancel)
    {
        LetRun(file);
        Copy(new ModelFile(executable, 0, Find(executable)?.Offset), file, _ => { }, cancel);
        long offset = (file.Position + Alignment - 1) / Alignment * Alignment;
        file.Seek(offset, SeekOrigin.Begin);
        long length = Copy(model, file, progress, cancel);
        Span<byte> trailer = stackalloc byte[TrailerBytes];
        Magic.CopyTo(trailer);
        BinaryPrimitives.WriteInt64LittleEndian(trailer[8..], offset);
        BinaryPrimitives.WriteInt64LittleEndian(trailer[16..], length);
        file.Write(trailer);
        return file.Position;
    }

    /// <summary>Whoever may read the file may start it.</summary>
    private static void LetRun(FileStream file)
    {
        const UnixFileMode Read = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        if (OperatingSystem.IsWindows()) return;
        UnixFileMode mode = File.GetUnixFileMode(file.SafeFileHandle);
        File.SetUnixFileMode(file.SafeFileHandle, mode | (UnixFileMode)((int)(mode & Read) >> 2));
    }

    /// <summary>Appends a part of a file and returns its length.</summary>
    private static long Copy(ModelFile from, FileStream to, Action<double> progress, CancellationToken cancel)
    {
        using var source = new FileStream(from.Path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        source.Seek(from.Offset, SeekOrigin.Begin);
        long length = from.Length ?? source.Length - from.Offset;
        byte[] buffer = new byte[CopyBytes];
        for (long done = 0; done < length;)
        {
            cancel.ThrowIfCancellationRequested();
            int count = source.Read(buffer, 0, (int)Math.Min(buffer.Length, length - done));
            if (count == 0) throw new IOException($"{from.Path}: the file became shorter while it was copied; try again.");
            to.Write(buffer, 0, count);
            done += count;
            progress((double)done / length);
        }
        return length;
    }
}
