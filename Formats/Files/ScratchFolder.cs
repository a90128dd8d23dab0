namespace MambaRT.Formats;

/// <summary>A folder on its way to its place, of the same life as a locked <see cref="ScratchFile"/> beside it.</summary>
internal sealed class ScratchFolder : IDisposable
{
    private readonly ScratchFile _lock;

    private ScratchFolder(ScratchFile file) => _lock = file;

    /// <summary>Where it is; deleted with this object unless it was moved.</summary>
    public string Path => Of(_lock.Path);

    /// <summary>Makes an empty folder, after deleting what is stale beside it.</summary>
    /// <param name="parent">An existing folder.</param>
    /// <exception cref="IOException">It does not take a folder.</exception>
    /// <exception cref="UnauthorizedAccessException">It is closed.</exception>
    public static ScratchFolder Create(string parent)
    {
        var folder = new ScratchFolder(ScratchFile.Create(parent));
        try
        {
            Directory.CreateDirectory(folder.Path);
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Deletes it with all that is in it.</summary>
    public void Dispose() => _lock.Dispose();

    /// <summary>The folder that lives with a file.</summary>
    internal static string Of(string file) => file[..^ScratchName.File.Length] + ScratchName.Folder;

    /// <summary>The file that a folder lives with.</summary>
    internal static string LockOf(string folder) => folder[..^ScratchName.Folder.Length] + ScratchName.File;
}
