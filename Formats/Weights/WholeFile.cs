using System.Text;

namespace MambaRT.Formats;

/// <summary>Files that are there whole or not at all: written under a temporary name beside their place and renamed.</summary>
public static class WholeFile
{
    // Numbers of errors as .NET hands them on: errno on Linux, an HRESULT on Windows.
    private const int DiskFull = 28, QuotaReached = 122, FileTooLarge = 27, WindowsDiskFull = unchecked((int)0x80070070);

    // Systems take 255 bytes; the temporary file is called by the same name and 37 characters.
    private const int LongestName = 200;

    /// <summary>Writes a file: a failure or a crash leaves what was there before, never half of a file.</summary>
    /// <param name="path">Where it shall be; a file that is there is replaced.</param>
    /// <param name="write">Writes the file under the temporary name that it is given, and flushes it to the disk.</param>
    /// <exception cref="IOException">The place is a folder or a device, its folder is missing or closed, or writing fails.</exception>
    public static void Write(string path, Action<string> write)
    {
        EnsureWritable(path);
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            write(temporary);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e)
        {
            File.Delete(temporary);
            if (Explain(path, e) is IOException explained) throw explained;
            throw;
        }
    }

    /// <summary>A sentence about what the system refused, which names the place instead of the temporary file; null for other failures.</summary>
    internal static IOException? Explain(string path, Exception e) => e switch
    {
        UnauthorizedAccessException => new IOException($"'{path}' cannot be written: its folder does not permit it; choose another place.", e),
        IOException when e.HResult is DiskFull or QuotaReached or WindowsDiskFull => new IOException($"'{path}' cannot be written: the disk is full; free some space or choose another place.", e),
        IOException when e.HResult is FileTooLarge => new IOException($"'{path}' cannot be written: it would be larger than files may be there; choose another place.", e),
        _ => null,
    };

    /// <summary>Checks what can be known before the work begins.</summary>
    /// <exception cref="IOException">The place has no name or one that is too long, is a folder or a device, or its folder is missing.</exception>
    public static void EnsureWritable(string path)
    {
        EnsureNamed(path);
        if (Directory.Exists(path)) throw new IOException($"'{path}' is a folder; give the name of a file.");
        string full = Path.GetFullPath(path);
        string? folder = Path.GetDirectoryName(full);
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no folder for '{path}'; make it first, or choose another place.");
        // The rename would replace the device itself; folders such as /dev/shm below it hold files.
        if (!OperatingSystem.IsWindows() && (folder is "/dev" || IsSystemFolder(full)))
            throw new IOException($"'{path}' is a device of the system, which would be replaced by a file; choose another place.");
    }

    /// <summary>Refuses no name at all, and one that leaves no room for that of the temporary file.</summary>
    internal static void EnsureNamed(string path)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new IOException("The name of the output is empty; give one, such as 'model.gguf'.");
        int bytes = Encoding.UTF8.GetByteCount(Path.GetFileName(path));
        if (bytes > LongestName)
            throw new IOException($"'{Printable.Text(path)}' cannot be written: its name has {bytes} bytes, and {LongestName} are the most; choose a shorter one.");
    }

    private static bool IsSystemFolder(string full) =>
        full.StartsWith("/proc/", StringComparison.Ordinal) || full.StartsWith("/sys/", StringComparison.Ordinal) || full.StartsWith("/dev/fd/", StringComparison.Ordinal);
}
