namespace MambaRT.Formats;

/// <summary>Folders that are there whole or not at all: filled under a temporary name and renamed.</summary>
public static class WholeFolder
{
    /// <summary>Writes a folder: a failure or a crash leaves what was there before, never a part of the new files.</summary>
    /// <param name="path">Where it shall be.</param>
    /// <param name="replace">Whether files of a folder that is there may be replaced; those of other names stay. They change one by one, so a crash of the system in that moment can leave some old and some new.</param>
    /// <param name="write">Writes the files, without folders, into the temporary folder that it is given.</param>
    /// <exception cref="IOException">The place is a file or a folder with files, its parent is missing or closed, or writing fails.</exception>
    public static void Write(string path, bool replace, Action<string> write)
    {
        path = Path.TrimEndingDirectorySeparator(path);
        EnsureWritable(path, replace);
        bool exists = Directory.Exists(path);
        string temporary = exists ? Path.Combine(path, $".{Guid.NewGuid():N}.tmp") : $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(temporary);
            write(temporary);
            if (!exists) Directory.Move(temporary, path);
            else MoveFiles(temporary, path);
        }
        catch (Exception e)
        {
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
            if (WholeFile.Explain(path, e) is IOException explained) throw explained;
            throw;
        }
    }

    /// <summary>Checks what can be known before the work begins.</summary>
    /// <exception cref="IOException">The place is a file or a folder with files, or its parent is missing.</exception>
    public static void EnsureWritable(string path, bool replace)
    {
        WholeFile.EnsureNamed(path);
        if (File.Exists(path)) throw new IOException($"'{path}' is a file; give the name of a folder.");
        if (Directory.Exists(path))
        {
            if (!replace && Directory.EnumerateFileSystemEntries(path).Any())
                throw new IOException($"The folder '{path}' is not empty; choose another place, or say that its files may be replaced.");
            return;
        }
        if (!Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
            throw new DirectoryNotFoundException($"There is no folder for '{path}'; make it first, or choose another place.");
    }

    private static void MoveFiles(string from, string to)
    {
        foreach (string file in Directory.GetFiles(from)) File.Move(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
        Directory.Delete(from);
    }
}
