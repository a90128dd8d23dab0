using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>Tells what stands at a path without opening it, which would wait for a pipe's writer.</summary>
internal static unsafe partial class PathKinds
{
    private const int CurrentFolder = -100, TypeField = 1;         // AT_FDCWD, STATX_TYPE
    private const int StructureBytes = 256, ModeOffset = 28;       // struct statx, the same on every processor
    private const int TypeBits = 0xf000;

    /// <summary>What stands at <paramref name="path"/>; pipes, devices and sockets are told apart on Linux, elsewhere they count as files.</summary>
    public static PathKind Of(string path)
    {
        if (OperatingSystem.IsLinux() && TryMode(path, out int mode))
        {
            return (mode & TypeBits) switch
            {
                0x8000 => PathKind.File,
                0x4000 => PathKind.Folder,
                0x1000 => PathKind.Pipe,
                0xc000 => PathKind.Socket,
                _ => PathKind.Device,
            };
        }
        return Directory.Exists(path) ? PathKind.Folder : File.Exists(path) ? PathKind.File : PathKind.None;
    }

    /// <summary>Refuses what is no file, before opening it would wait for a writer, read without end or fail in the system's words.</summary>
    /// <param name="path">Where a file should be.</param>
    /// <param name="needed">What to give, such as "a text file".</param>
    /// <exception cref="IOException">There is nothing, a folder, a pipe, a device or a socket.</exception>
    public static void RequireFile(string path, string needed)
    {
        switch (Of(path))
        {
            case PathKind.File: return;
            case PathKind.None: throw new FileNotFoundException($"There is no file '{path}'; give {needed}.", path);
            case var kind: throw new IOException($"'{path}' is a {kind.ToString().ToLowerInvariant()} and no file; give {needed}.");
        }
    }

    private static bool TryMode(string path, out int mode)
    {
        mode = 0;
        byte* status = stackalloc byte[StructureBytes];
        try
        {
            if (Status(CurrentFolder, path, 0, TypeField, status) != 0) return false;
        }
        catch (EntryPointNotFoundException)   // a C library older than the call
        {
            return false;
        }
        mode = *(ushort*)(status + ModeOffset);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Status(int folder, string path, int flags, uint mask, byte* status);
}
