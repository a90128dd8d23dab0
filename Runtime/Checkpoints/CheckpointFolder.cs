using System.Globalization;
using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT;

/// <summary>Kept states as files of a folder, which several programs may share: named by model, backend, length and hash, written whole, bounded in bytes.</summary>
/// <remarks>Nothing here fails its caller: what cannot be read or written is not kept, and is said once in a line.</remarks>
internal sealed class CheckpointFolder
{
    private const string Extension = ".checkpoint";

    private static readonly TimeSpan ClockStep = TimeSpan.FromSeconds(2);   // the coarsest that times of folders are noted in

    private readonly string _path;
    private readonly Model _model;
    private readonly Action<string>? _note;
    private readonly HashSet<string> _names = [];
    private string? _prefix;
    private DateTime _looked;
    private long _total = -1;   // bytes of all, as far as is known
    private bool _hasFailed;

    /// <summary>Makes the folder where there is none.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public CheckpointFolder(string path, Model model, Action<string>? note)
    {
        (_path, _model, _note) = (Path.GetFullPath(path), model, note);
        try
        {
            if (OperatingSystem.IsWindows()) Directory.CreateDirectory(_path);
            else Directory.CreateDirectory(_path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);   // it holds what was said; one that is there stays as it is
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"'{path}' cannot be made a folder to keep states in: {e.Message} Choose another.", e);
        }
    }

    private string Prefix => _prefix ??= $"{_model.OwnFingerprint:x32}-{_model.BackendName.Replace(':', '.')}-";

    /// <summary>Takes note of what others wrote or deleted since.</summary>
    public void Look()
    {
        try
        {
            DateTime changed = Directory.GetLastWriteTimeUtc(_path);
            if (changed + ClockStep < _looked) return;
            _looked = DateTime.UtcNow;
            _names.Clear();
            foreach (string file in Directory.EnumerateFiles(_path, Prefix + "*" + Extension)) _names.Add(Path.GetFileName(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
        }
    }

    /// <summary>Whether a state is there, as far as is known.</summary>
    public bool Has(long length, ulong hash) => _names.Count > 0 && _names.Contains(Name(length, hash));

    /// <summary>Reads a state into a slot; false where there is none of these tokens, or it was damaged, which drops it.</summary>
    public bool Read(TokenTrail trail, ulong hash, int slot)
    {
        string name = Name(trail.Length, hash), file = Path.Combine(_path, name);
        try
        {
            StateSnapshot snapshot = StateSnapshot.ReadFile(file);
            if (snapshot.Fingerprint != _model.OwnFingerprint || snapshot.Position != trail.Length || snapshot.State.Length != _model.Plan.States.Bytes(trail.Length)
                || snapshot.Attachment.Length != trail.Length * sizeof(int))
                throw new FormatException($"{file}: the kept state is not what its name says.");
            if (!trail.IsPrefixOf(MemoryMarshal.Cast<byte, int>(snapshot.Attachment.Span))) return false;   // other tokens of an equal hash
            _model.Loaded.ImportSlot(slot, trail.Length, snapshot.OpenState());
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow);   // the least recently useful go first
            return true;
        }
        catch (FormatException e)
        {
            _note?.Invoke($"A kept state was dropped: {e.Message}");
            Delete(file);
        }
        catch (IOException e) when (FileLock.IsHeld(e))
        {
            return false;   // another program is just putting it in its place
        }
        catch (FileNotFoundException)
        {
            // Another program let it go.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
        }
        _names.Remove(name);
        return false;
    }

    /// <summary>Writes a state, unless it is there.</summary>
    public void Write(TokenTrail trail, int slot)
    {
        string name = Name(trail.Length, trail.Hash);
        long bytes = StateSnapshot.BytesOf(_model.Plan.States.Bytes(trail.Length)) + trail.Length * sizeof(int);
        if (_hasFailed || _names.Contains(name) || bytes > _model.StateBudget) return;
        try
        {
            MakeRoom(bytes);
            byte[] state = new byte[_model.Plan.States.Bytes(trail.Length)];
            _model.Loaded.ExportSlot(slot, trail.Length, new MemoryStream(state));
            var snapshot = new StateSnapshot(_model.OwnFingerprint, trail.Length, state, MemoryMarshal.AsBytes(trail.From(0).AsSpan()).ToArray());
            WholeFile.Write(Path.Combine(_path, name), stream => stream.Write(snapshot.ToBytes()), lasting: false);
            _names.Add(name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
        }
    }

    private string Name(long length, ulong hash) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{length}-{hash:x16}{Extension}");

    /// <summary>Deletes what was used least recently, of whatever model, until there is room; the folder is looked through where it may be full.</summary>
    private void MakeRoom(long bytes)
    {
        if (_total >= 0 && _total + bytes <= _model.StateBudget)
        {
            _total += bytes;
            return;
        }
        FileInfo[] files = new DirectoryInfo(_path).GetFiles("*" + Extension);
        _total = bytes + files.Sum(file => file.Length);
        foreach (FileInfo file in files.OrderBy(file => file.LastWriteTimeUtc))
        {
            if (_total <= _model.StateBudget) break;
            Delete(file.FullName);
            _names.Remove(file.Name);
            _total -= file.Length;
        }
    }

    private void Delete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e);
        }
    }

    private void Fail(Exception e)
    {
        if (!_hasFailed) _note?.Invoke($"No states are kept in '{_path}' any more: {e.Message}");
        _hasFailed = true;
    }
}
