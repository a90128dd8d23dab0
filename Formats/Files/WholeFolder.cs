namespace MambaRT.Formats;

/// <summary>Folders that are there whole or not at all: filled as a <see cref="ScratchFolder"/> and renamed, or exchanged file by file in one step.</summary>
internal static class WholeFolder
{
    /// <summary>Writes a folder: a failure leaves what was there before, and no end of the process a mix of old and new files.</summary>
    /// <param name="path">Where it shall be.</param>
    /// <param name="replace">Whether files of a folder that is there may be replaced; those of other names stay.</param>
    /// <param name="inputs">Files that are read to write it, of which none may be replaced.</param>
    /// <param name="write">Writes the files, without folders, into the folder that it is given.</param>
    /// <exception cref="ArgumentException">A file of the folder that would be replaced is one of the inputs.</exception>
    /// <exception cref="IOException">The place is a file or a folder with files, its parent is missing or closed, or writing fails.</exception>
    public static void Write(string path, bool replace, IEnumerable<string> inputs, Action<string> write)
    {
        EnsureWritable(path, replace);
        path = Path.TrimEndingDirectorySeparator(path);
        bool exists = Directory.Exists(path);
        try
        {
            using ScratchFolder folder = ScratchFolder.Create(exists ? path : ParentOf(path));
            write(folder.Path);
            EnsureNoInput(path, inputs, Directory.GetFiles(folder.Path));
            if (exists) FolderExchange.Run(folder.Path);
            else Directory.Move(folder.Path, path);
        }
        catch (Exception e) when (WholeFile.Explain(path, e) is { } explained)
        {
            throw explained;
        }
    }

    /// <summary>Checks what can be known before the work begins.</summary>
    /// <exception cref="IOException">The place is a file or a folder with files, or its parent is missing or closed.</exception>
    public static void EnsureWritable(string path, bool replace)
    {
        WholeFile.EnsureNamed(path);
        if (File.Exists(path)) throw new IOException($"'{path}' is a file; give the name of a folder.");
        bool exists = Directory.Exists(path);
        if (!exists && !Directory.Exists(ParentOf(path)))
            throw new DirectoryNotFoundException($"There is no folder for '{path}'; make it first, or choose another place.");
        try
        {
            ScratchFolder.Create(exists ? path : ParentOf(path)).Dispose();
        }
        catch (Exception e) when (WholeFile.Explain(path, e) is { } explained)
        {
            throw explained;
        }
        if (exists && !replace && Directory.EnumerateFileSystemEntries(path).Any())
            throw new IOException($"The folder '{path}' is not empty; choose another place, or say that its files may be replaced.");
    }

    /// <summary>Refuses to replace files that are read.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="inputs">What is read.</param>
    /// <param name="names">What shall be written there; only the names count.</param>
    /// <exception cref="ArgumentException">A file of one of the names is an input.</exception>
    public static void EnsureNoInput(string path, IEnumerable<string> inputs, IEnumerable<string> names)
    {
        foreach (string name in names) WholeFile.EnsureNoInput(Path.Combine(path, Path.GetFileName(name)), inputs);
    }

    private static string ParentOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path)) ?? path;
}
