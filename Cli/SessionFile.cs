using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>A file that a conversation is saved in; other processes leave it alone until it is disposed.</summary>
internal sealed class SessionFile : IDisposable
{
    private readonly FileLock _lock;

    private SessionFile(string path, FileLock held) => (Path, _lock) = (path, held);

    /// <summary>The name as given.</summary>
    public string Path { get; }

    /// <summary>Takes a file that is a saved conversation, or is not there yet.</summary>
    /// <exception cref="IOException">Another process has it, it is of another kind, or nothing can be written there.</exception>
    public static SessionFile Take(string path)
    {
        WholeFile.EnsureWritable(path);
        StateSnapshot.EnsureReplaceable(path);
        return FileLock.TryTake(path) is { } held ? new SessionFile(path, held)
            : throw new IOException($"'{path}' is in use by another chat; end that first, or give another name.");
    }

    /// <summary>Whether a name leads to this file.</summary>
    public bool Is(string path) => WholeFile.Destination(path) == WholeFile.Destination(Path);

    /// <summary>Saves a conversation there.</summary>
    public void Save(ChatSession chat)
    {
        chat.Save(Path);
        _lock.Renew();
    }

    public void Dispose() => _lock.Dispose();
}
