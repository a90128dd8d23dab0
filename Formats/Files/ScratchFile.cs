namespace MambaRT.Formats;

/// <summary>A file on its way to its place: under a name of its own in the same folder, locked while its writer lives, deleted unless it arrives.</summary>
/// <remarks>
/// However a program ends, no such file stays for long: disposing deletes it, so does the regular end of the process, and what a killed process
/// or a power cut left is found by the next writer into that folder, by its name (<see cref="ScratchName"/>) and because nobody holds its lock.
/// </remarks>
internal sealed class ScratchFile : IDisposable
{
    private const int BufferBytes = 1 << 16, Attempts = 100;

    private static readonly HashSet<ScratchFile> Living = [];

    private readonly FileStream _stream;
    private bool _arrived;

    static ScratchFile() => AppDomain.CurrentDomain.ProcessExit += (_, _) => DeleteAll();

    private ScratchFile(string path, FileStream stream)
    {
        Path = path;
        _stream = stream;
    }

    /// <summary>Held while files are moved that must not be deleted half-way.</summary>
    internal static Lock Gate { get; } = new();

    /// <summary>Where it is now.</summary>
    public string Path { get; }

    /// <summary>Its bytes; closed with this object.</summary>
    public FileStream Stream => _stream;

    /// <summary>Makes a file, after deleting what is stale in the folder.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <exception cref="IOException">The folder does not take a file.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is closed.</exception>
    public static ScratchFile Create(string folder)
    {
        ScratchFile file = Open(folder);
        lock (Gate) Living.Add(file);
        StaleFiles.Delete(folder, file.Path);
        return file;
    }

    /// <summary>Flushes it, to the disk where it shall be lasting, and gives it its name; whatever was there is replaced at once.</summary>
    public void MoveTo(string path, bool lasting = true)
    {
        _stream.Flush(flushToDisk: lasting);
        File.Move(Path, path, overwrite: true);   // still locked, so that nobody takes it for stale meanwhile
        _arrived = true;
    }

    /// <summary>Closes it; deletes it where it did not arrive.</summary>
    public void Dispose()
    {
        lock (Gate)
        {
            Living.Remove(this);
            if (!_arrived) Delete();
        }
        _stream.Dispose();
        if (!_arrived) File.Delete(Path);   // where an open file cannot be deleted
    }

    private static ScratchFile Open(string folder)
    {
        for (int attempt = 1; ; attempt++)   // between making and locking it, another process may take it for stale
        {
            ulong number = (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue);   // a cryptographic one would need OpenSSL on the machine
            string path = System.IO.Path.Combine(folder, ScratchName.Of(number, ScratchName.File));
            try
            {
                var stream = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileLock.Alone, BufferBytes);
                if (File.Exists(path)) return new ScratchFile(path, stream);   // nobody deletes it from here on
                stream.Dispose();
            }
            catch (IOException e) when (FileLock.IsHeld(e) && attempt < Attempts)
            {
                // Once more, by another name.
            }
        }
    }

    /// <summary>Deletes name and <see cref="ScratchFolder"/> while the lock is still held.</summary>
    private void Delete()
    {
        FolderExchange.Clear(ScratchFolder.Of(Path));
        if (!OperatingSystem.IsWindows()) File.Delete(Path);
    }

    private static void DeleteAll()
    {
        lock (Gate)
        {
            foreach (ScratchFile file in Living)
            {
                try
                {
                    if (!file._arrived) file.Delete();
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // The next writer into that folder finds it.
                }
            }
        }
    }
}
