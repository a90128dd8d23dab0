namespace MambaRT.Formats;

/// <summary>Puts new files into a folder in the place of old ones, so that no moment and no end of the process leaves some of both.</summary>
/// <remarks>
/// First the old files go into a folder <c>old</c> beside the new ones. Renaming that to <c>replaced</c> is the decision: before it, what was begun is
/// taken back, after it, it is carried out, by this process or by the next that finds the scratch folder. In between files are missing, never mixed.
/// </remarks>
internal static class FolderExchange
{
    private const string Old = "old", Replaced = "replaced";

    /// <summary>Moves the files of a scratch folder into the folder that it lies in.</summary>
    /// <exception cref="IOException">It failed, and the old files are in their places again.</exception>
    public static void Run(string scratch)
    {
        string folder = Parent(scratch);
        string[] names = [.. Directory.GetFiles(scratch).Select(path => Path.GetFileName(path))];
        foreach (string name in names)
            if (Directory.Exists(Path.Combine(folder, name)))
                throw new IOException($"'{Path.Combine(folder, name)}' is a folder, where a file of this name shall be; move it, or choose another place.");
        lock (ScratchFile.Gate)   // the process does not end in between
        {
            string old = Directory.CreateDirectory(Path.Combine(scratch, Old)).FullName, replaced = Path.Combine(scratch, Replaced);
            foreach (string name in names)
                if (Path.Exists(Path.Combine(folder, name))) File.Move(Path.Combine(folder, name), Path.Combine(old, name));
            Directory.Move(old, replaced);
            try
            {
                MoveFiles(scratch, folder);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                foreach (string name in names)
                    if (!File.Exists(Path.Combine(scratch, name))) File.Move(Path.Combine(folder, name), Path.Combine(scratch, name));
                Directory.Move(replaced, old);
                throw;
            }
        }
    }

    /// <summary>Takes an exchange back, or carries it out where it was decided, and deletes the scratch folder; nothing if there is none.</summary>
    public static void Clear(string scratch)
    {
        if (!Directory.Exists(scratch)) return;
        string old = Path.Combine(scratch, Old);
        if (Directory.Exists(old)) MoveFiles(old, Parent(scratch));
        else if (Directory.Exists(Path.Combine(scratch, Replaced))) MoveFiles(scratch, Parent(scratch));
        Directory.Delete(scratch, recursive: true);
    }

    private static void MoveFiles(string from, string to)
    {
        foreach (string path in Directory.GetFiles(from)) File.Move(path, Path.Combine(to, Path.GetFileName(path)));
    }

    private static string Parent(string scratch) => Path.GetDirectoryName(Path.GetFullPath(scratch))!;   // a scratch folder is no root
}
