using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MambaRT.Formats;

/// <summary>Which file a path leads to, through links and <c>..</c>: two paths to one file have equal identities.</summary>
/// <remarks>On Linux it is device and inode, so hard links are found as well; elsewhere the path at the end of all links.</remarks>
internal readonly partial record struct FileIdentity
{
    private const int CurrentFolder = -100, EmptyPath = 0x1000, BasicFields = 0x7ff;   // AT_FDCWD, AT_EMPTY_PATH, STATX_BASIC_STATS
    private const int KindMask = 0xf000, Regular = 0x8000;   // S_IFMT, S_IFREG

    private readonly ulong _device, _inode;
    private readonly string? _path;

    private FileIdentity(ulong device, ulong inode, string? path, bool isRegular) =>
        (_device, _inode, _path, IsRegular) = (device, inode, path, isRegular);

    /// <summary>Whether it is a file of bytes on a disk, and no folder, device or pipe.</summary>
    public bool IsRegular { get; }

    /// <summary>What a path leads to; null where there is nothing, or nothing that may be looked at.</summary>
    public static FileIdentity? Of(string path)
    {
        string full = Path.GetFullPath(path);
        if (OperatingSystem.IsLinux()) return Ask(CurrentFolder, full, 0);
        string target = WholeFile.Destination(full);
        return Path.Exists(target) ? new FileIdentity(0, 0, target, File.Exists(target)) : null;
    }

    /// <summary>What an open file is; null where the system does not say.</summary>
    internal static FileIdentity? Of(SafeFileHandle handle) =>
        OperatingSystem.IsLinux() ? Ask((int)handle.DangerousGetHandle(), "", EmptyPath) : null;   // the caller holds the handle

    private static FileIdentity? Ask(int folder, string path, int flags)
    {
        Span<byte> answer = stackalloc byte[256];   // struct statx, whose layout is the same on every processor
        if (Statx(folder, path, flags, BasicFields, ref MemoryMarshal.GetReference(answer)) != 0) return null;
        ulong device = BinaryPrimitives.ReadUInt64LittleEndian(answer[136..]);   // major, then minor
        return new FileIdentity(device, BinaryPrimitives.ReadUInt64LittleEndian(answer[32..]), null,
            (BinaryPrimitives.ReadUInt16LittleEndian(answer[28..]) & KindMask) == Regular);
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, int mask, ref byte answer);
}
