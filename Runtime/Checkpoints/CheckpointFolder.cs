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

    private readonly BoundedFolder _files;
    private readonly Model _model;
    private readonly HashSet<string> _names = [];
    private string? _prefix;
    private DateTime _looked;

    /// <summary>Makes the folder where there is none.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public CheckpointFolder(string path, Model model, Action<string>? note)
    {
        _files = new BoundedFolder(path, Extension, model.StateBudget, "states", note);
        _model = model;
    }

    private string Prefix => _prefix ??= $"{_model.OwnFingerprint:x32}-{_model.BackendName.Replace(':', '.')}-";

    /// <summary>Takes note of what others wrote or deleted since.</summary>
    public void Look()
    {
        try
        {
            if (_files.Changed + ClockStep < _looked) return;
            _looked = DateTime.UtcNow;
            _names.Clear();
            foreach (string name in _files.Names(Prefix)) _names.Add(name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _files.Fail(e);
        }
    }

    /// <summary>Whether a state is there, as far as is known.</summary>
    public bool Has(long length, ulong hash) => _names.Count > 0 && _names.Contains(Name(length, hash));

    /// <summary>Reads a state into a slot; false where there is none of these tokens, or it was damaged, which drops it.</summary>
    public bool Read(TokenTrail trail, ulong hash, int slot)
    {
        string name = Name(trail.Length, hash), file = _files[name];
        try
        {
            if (new FileInfo(file) is { Exists: true } found && found.Length != Bytes(trail))   // a damaged one may have any length, and is not read for that
                throw new FormatException($"{file}: the kept state has {found.Length} bytes, and {Bytes(trail)} are needed.");
            StateSnapshot snapshot = StateSnapshot.ReadFile(file);
            if (snapshot.Fingerprint != _model.OwnFingerprint || snapshot.Position != trail.Length || snapshot.State.Length != _model.Plan.States.Bytes(trail.Length)
                || snapshot.Attachment.Length != trail.Length * sizeof(int))
                throw new FormatException($"{file}: the kept state is not what its name says.");
            if (!trail.IsPrefixOf(MemoryMarshal.Cast<byte, int>(snapshot.Attachment.Span))) return false;   // other tokens of an equal hash
            _model.Loaded.ImportSlot(slot, trail.Length, snapshot.OpenState());
            _files.Touch(name);
            return true;
        }
        catch (FormatException e)
        {
            _files.Drop(name, $"A kept state was dropped: {e.Message}");
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
            _files.Fail(e);
        }
        _names.Remove(name);
        return false;
    }

    /// <summary>Writes a state, unless it is there.</summary>
    public void Write(TokenTrail trail, int slot)
    {
        string name = Name(trail.Length, trail.Hash);
        if (_names.Contains(name)) return;
        int state = checked((int)_model.Plan.States.Bytes(trail.Length));
        if (_files.TryWrite(name, Bytes(trail), Export, deleted => _names.Remove(deleted))) _names.Add(name);

        byte[] Export()
        {
            byte[] bytes = new byte[state];
            _model.Loaded.ExportSlot(slot, trail.Length, new MemoryStream(bytes));
            return new StateSnapshot(_model.OwnFingerprint, trail.Length, bytes, MemoryMarshal.AsBytes(trail.From(0).AsSpan()).ToArray()).ToBytes();
        }
    }

    private long Bytes(TokenTrail trail) => StateSnapshot.BytesOf(_model.Plan.States.Bytes(trail.Length)) + trail.Length * sizeof(int);

    private string Name(long length, ulong hash) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{length}-{hash:x16}{Extension}");
}
