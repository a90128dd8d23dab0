using Microsoft.Win32.SafeHandles;

namespace MambaRT.Formats;

/// <summary>Deletes what writers that were killed left in a folder.</summary>
internal static class StaleFiles
{
    /// <summary>Deletes every file of a name of ours that nobody holds. What cannot be deleted stays: this is no reason for a writer to fail.</summary>
    /// <param name="folder">Where to look.</param>
    /// <param name="own">The caller's own file there, which it has locked.</param>
    public static void Delete(string folder, string own)
    {
        using (SafeFileHandle? second = FileLock.TryHold(own))
            if (second is not null) return;   // no locks on this file system: a living writer's file could not be told from a dead one's
        try
        {
            foreach (string path in Directory.GetFileSystemEntries(folder, ScratchName.Pattern))
                if (path != own) Try(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that may be written but not listed.
        }
    }

    private static void Try(string path)
    {
        try
        {
            ReadOnlySpan<char> name = Path.GetFileName(path.AsSpan());
            if (ScratchName.Is(name, ScratchName.File) || ScratchName.Is(name, ScratchName.Lock)) DeleteFile(path);
            else if (ScratchName.Is(name, ScratchName.Folder) && !File.Exists(ScratchFolder.LockOf(path))) FolderExchange.Clear(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another user's, or another process was quicker.
        }
    }

    private static void DeleteFile(string path)
    {
        using SafeFileHandle? handle = FileLock.TryHold(path);
        if (handle is null) return;
        if (path.EndsWith(ScratchName.File, StringComparison.Ordinal)) FolderExchange.Clear(ScratchFolder.Of(path));
        File.Delete(path);
    }
}
