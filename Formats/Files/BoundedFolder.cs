namespace MambaRT.Formats;

/// <summary>
/// Files of one kind in a folder that several programs may share: written whole, bounded in bytes, the least recently used deleted first. The folder is made where there is none, for its
/// owner's eyes alone.
/// </summary>
/// <remarks>Nothing but the making fails its caller: what cannot be read or written is not kept, which is said in a line, once until something is kept again. One thread at a time.</remarks>
internal sealed class BoundedFolder
{
    private readonly string _path, _extension, _what;
    private readonly long _bytes;
    private readonly Action<string>? _note;
    private long _total = -1;   // bytes of all, as far as is known
    private DateTime _known;    // when the folder was changed last as far as that goes: others write there, too, and are seen by the next writing after a tick of its times

    /// <summary>Makes the folder where there is none.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="extension">What names of these files end with.</param>
    /// <param name="bytes">What they may take together.</param>
    /// <param name="what">What is kept, for lines: "states".</param>
    /// <param name="note">Told those lines; null for nobody.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    public BoundedFolder(string path, string extension, long bytes, string what, Action<string>? note)
    {
        (_path, _extension, _bytes, _what, _note) = (Path.GetFullPath(path), extension, bytes, what, note);
        try
        {
            if (OperatingSystem.IsWindows()) Directory.CreateDirectory(_path);
            else Directory.CreateDirectory(_path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);   // one that is there stays as it is
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"'{path}' cannot be made a folder to keep {what} in: {e.Message} Choose another.", e);
        }
    }

    /// <summary>Whether it did not take the last file; the next is tried all the same, as a disk may have room again.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Where a file of a name lies.</summary>
    public string this[string name] => Path.Combine(_path, name);

    /// <summary>When files were added or deleted last.</summary>
    public DateTime Changed => Directory.GetLastWriteTimeUtc(_path);

    /// <summary>The names that begin so.</summary>
    public IEnumerable<string> Names(string prefix) =>
        Directory.EnumerateFiles(_path).Select(file => Path.GetFileName(file)).Where(name => name.StartsWith(prefix, StringComparison.Ordinal) && name.EndsWith(_extension, StringComparison.Ordinal));

    /// <summary>Writes a file, and deletes others until there is room for it.</summary>
    /// <param name="name">Its name; a file of that name is replaced.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="bytes">Makes them.</param>
    /// <param name="deleted">Told the names of those that had to go; null for nobody.</param>
    /// <returns>Whether it is there.</returns>
    public bool TryWrite(string name, long length, Func<byte[]> bytes, Action<string>? deleted = null)
    {
        if (length > _bytes) return false;
        try
        {
            MakeRoom(name, length, deleted);
            WholeFile.Write(this[name], stream => stream.Write(bytes()), lasting: false);
            HasFailed = false;
            _known = Changed;
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
            return false;
        }
    }

    /// <summary>Notes that a file was used just now, where the folder permits it.</summary>
    public void Touch(string name)
    {
        try
        {
            File.SetLastWriteTimeUtc(this[name], DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is another's folder, or read-only, or the file was let go: what was read of it is good.
        }
    }

    /// <summary>Deletes a file that is damaged, with a line.</summary>
    public void Drop(string name, string why)
    {
        Tell(why);
        Delete(name);
    }

    /// <summary>Notes that something could not be kept or read.</summary>
    public void Fail(Exception e)
    {
        if (!HasFailed) Tell($"No {_what} are kept in '{_path}' until it takes them again: {e.Message}");
        HasFailed = true;
    }

    private void Tell(string line)
    {
        try
        {
            _note?.Invoke(line);
        }
        catch (Exception)
        {
            // Who listens is the program's own, and its failure is not its caller's.
        }
    }

    /// <summary>Deletes what was used least recently, by whatever program; the folder is looked through where it may be full.</summary>
    private void MakeRoom(string name, long length, Action<string>? deleted)
    {
        if (_total >= 0 && _total + length <= _bytes && _known == Changed)
        {
            _total += length;   // too much where a file is replaced, until the folder is looked through
            return;
        }
        FileInfo[] files = [.. Names("").Where(other => other != name).Select(other => new FileInfo(this[other])).Where(file => file.Exists)];
        _total = length + files.Sum(file => file.Length);
        foreach (FileInfo file in files.OrderBy(file => file.LastWriteTimeUtc))
        {
            if (_total <= _bytes) break;
            Delete(file.Name);
            deleted?.Invoke(file.Name);
            _total -= file.Length;
        }
    }

    private void Delete(string name)
    {
        try
        {
            File.Delete(this[name]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
        }
    }
}
