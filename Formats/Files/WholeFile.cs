using System.Text;

namespace MambaRT.Formats;

/// <summary>Files that are there whole or not at all: written as a <see cref="ScratchFile"/> beside their place and renamed.</summary>
internal static class WholeFile
{
    // Numbers of errors as .NET hands them on: errno on Linux, an HRESULT on Windows.
    private const int DiskFull = 28, QuotaReached = 122, FileTooLarge = 27, ReadOnlyDisk = 30, WindowsDiskFull = unchecked((int)0x80070070);

    private const int LongestName = 255;   // bytes; the scratch file's name is shorter

    private const UnixFileMode Permissions = (UnixFileMode)0x1ff;

    /// <summary>Writes a file: a failure or a crash leaves what was there before, never half of a file. Permissions of the old file stay, and a link stays one.</summary>
    /// <param name="path">Where it shall be; a file that is there is replaced.</param>
    /// <param name="write">Writes the bytes.</param>
    /// <param name="lasting">Whether it is on the disk before it takes its place; else the machine's crash, not the program's, may leave a file that is cut off.</param>
    /// <exception cref="IOException">The place is a folder or a device, its folder is missing or closed, or writing fails.</exception>
    public static void Write(string path, Action<FileStream> write, bool lasting = true)
    {
        string target = Place(path);
        try
        {
            using ScratchFile file = ScratchFile.Create(FolderOf(target));
            if (!OperatingSystem.IsWindows() && File.Exists(target))
                File.SetUnixFileMode(file.Stream.SafeFileHandle, File.GetUnixFileMode(target) & Permissions);   // before there is anything to read
            write(file.Stream);
            file.MoveTo(target, lasting);
        }
        catch (Exception e) when (Explain(path, e) is { } explained)
        {
            throw explained;
        }
    }

    /// <summary>Writes a text as UTF-8, as <see cref="Write"/> does.</summary>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Checks what can be known before the work begins: that a file can be made there, and that it would replace none that is read.</summary>
    /// <param name="path">Where a file shall be written.</param>
    /// <param name="inputs">Files that the same work reads.</param>
    /// <exception cref="ArgumentException">It is one of the inputs, by whatever path or link.</exception>
    /// <exception cref="IOException">The place has no name or one that is too long, is a folder or a device, or its folder is missing or closed.</exception>
    public static void EnsureWritable(string path, params IEnumerable<string> inputs)
    {
        string target = Place(path);
        EnsureNoInput(path, inputs);
        try
        {
            ScratchFile.Create(FolderOf(target)).Dispose();
        }
        catch (Exception e) when (Explain(path, e) is { } explained)
        {
            throw explained;
        }
    }

    /// <summary>The one place that decides whether a file may be replaced: not by work that reads it.</summary>
    internal static void EnsureNoInput(string path, IEnumerable<string> inputs)
    {
        if (FileIdentity.Of(path) is { } output && inputs.Any(input => FileIdentity.Of(input) == output))
            throw new ArgumentException($"'{path}' is read to write it; give the output another name.");
    }

    /// <summary>A sentence about what the system refused, which names the place instead of the temporary file; null for other failures.</summary>
    internal static IOException? Explain(string path, Exception e) => e switch
    {
        UnauthorizedAccessException => new IOException($"'{path}' cannot be written: its folder does not permit it; choose another place.", e),
        IOException when e.HResult is DiskFull or QuotaReached or WindowsDiskFull => new IOException($"'{path}' cannot be written: the disk is full; free some space or choose another place.", e),
        IOException when e.HResult is FileTooLarge => TooLarge(path, e),
        ArgumentOutOfRangeException { ParamName: "value" } => TooLarge(path, e),   // as streams of .NET say EFBIG
        IOException when e.HResult is ReadOnlyDisk => new IOException($"'{path}' cannot be written: the disk is mounted read-only; choose another place.", e),
        _ => null,
    };

    private static IOException TooLarge(string path, Exception e) =>
        new($"'{path}' cannot be written: it would be larger than files may be there (ulimit -f, or the kind of disk); choose another place.", e);

    /// <summary>The full path of the file that is replaced: a link stays, and what it leads to is written.</summary>
    public static string Destination(string path)
    {
        string full = Path.GetFullPath(path);
        return new FileInfo(full).LinkTarget is null ? full : File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
    }

    /// <summary>Refuses no name at all, and one that systems do not take.</summary>
    internal static void EnsureNamed(string path)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new IOException("The name of the output is empty; give one, such as 'model.gguf'.");
        if (path == "-") throw new IOException("The output is '-', which by custom is standard output, and what is written here must be a file; give a name, or './-' for a file of that one.");
        int bytes = Encoding.UTF8.GetByteCount(Path.GetFileName(path));
        if (bytes > LongestName)
            throw new IOException($"'{Printable.Text(path)}' cannot be written: its name has {bytes} bytes, and {LongestName} are the most; choose a shorter one.");
    }

    /// <summary>The destination, of which it is known that a file can lie there.</summary>
    private static string Place(string path)
    {
        EnsureNamed(path);
        if (Directory.Exists(path)) throw new IOException($"'{path}' is a folder; give the name of a file.");
        string full = Path.GetFullPath(path);
        // The rename would replace the device itself; folders such as /dev/shm below it hold files.
        if (FileIdentity.Of(full) is { IsRegular: false } || (!OperatingSystem.IsWindows() && (Path.GetDirectoryName(full) is "/dev" || IsSystemFolder(full))))
            throw new IOException($"'{path}' is a device or a pipe, which would be replaced by a file; choose another place.");
        string target = Destination(full);
        return Directory.Exists(FolderOf(target)) ? target
            : throw new DirectoryNotFoundException($"There is no folder for '{path}'; make it first, or choose another place.");
    }

    private static string FolderOf(string target) => Path.GetDirectoryName(target) ?? target;

    private static bool IsSystemFolder(string full) =>
        full.StartsWith("/proc/", StringComparison.Ordinal) || full.StartsWith("/sys/", StringComparison.Ordinal) || full.StartsWith("/dev/fd/", StringComparison.Ordinal);
}
