using System.Security.Cryptography;
using MambaRT.Formats;
using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>Conversations as files beside the kept states of their model, so that they can be gone on with when the program has ended: each named by the model and a hash of its id. Thread-safe.</summary>
/// <remarks>
/// What cannot be written is not kept, and that is said in a line: the next turn writes all of it again. What is there and cannot be read fails its caller, who would answer as if nothing had been said,
/// and write that in its place.
/// </remarks>
internal sealed class ConversationFolder
{
    private const string Extension = ".conversation";

    /// <summary>For how long another program may have a file for itself: it does for the moment in which it puts it in its place.</summary>
    private const int Attempts = 200, Pause = 10;

    private readonly Lock _gate = new();
    private readonly BoundedFolder _files;
    private readonly UInt128 _model;
    private readonly long _most;

    /// <summary>Makes the folder where there is none.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="model">The model's fingerprint: another one's conversations are others.</param>
    /// <param name="bytes">What all may take together.</param>
    /// <param name="note">Told of a file that was damaged, or a folder that takes none; null for nobody.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    public ConversationFolder(string path, UInt128 model, long bytes, Action<string>? note) =>
        (_files, _model, _most) = (new BoundedFolder(path, Extension, bytes, "conversations", note), model, bytes);

    /// <summary>When the file of a conversation was written; null where there is none.</summary>
    public DateTime? WrittenAt(string id)
    {
        var file = new FileInfo(_files[Name(id)]);
        return file.Exists ? file.LastWriteTimeUtc : null;
    }

    /// <summary>What was said in a conversation; null where nothing is known, also as its file was damaged and dropped.</summary>
    /// <exception cref="IOException">There is a file, and it cannot be read: it is as it was.</exception>
    public IReadOnlyList<Turn>? Read(string id)
    {
        string name = Name(id), path = _files[name];
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return ConversationFile.Read(BytesOf(path), _model, id, path);
            }
            catch (FormatException e)
            {
                lock (_gate) _files.Drop(name, $"A conversation was dropped: {e.Message}");
                return null;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                return null;   // it was let go
            }
            catch (IOException e) when (FileLock.IsHeld(e) && attempt < Attempts)
            {
                Thread.Sleep(Pause);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
            {
                throw new IOException($"The conversation '{Printable.Text(id)}' cannot be read: {e.Message} Its file is '{path}'; try again, or delete it to begin anew.", e);
            }
        }
    }

    /// <summary>Writes a conversation in the place of what was kept of it.</summary>
    public void Write(string id, IReadOnlyList<Turn> turns)
    {
        byte[] bytes = ConversationFile.Write(_model, id, turns);
        lock (_gate) _files.TryWrite(Name(id), bytes.Length, () => bytes);
    }

    /// <summary>Deletes what is kept of a conversation.</summary>
    /// <returns>Whether there was anything.</returns>
    /// <exception cref="IOException">There is, and it cannot be deleted.</exception>
    public bool Delete(string id)
    {
        string path = _files[Name(id)];
        lock (_gate)
        {
            if (!File.Exists(path)) return false;
            try
            {
                File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new IOException($"The conversation '{Printable.Text(id)}' cannot be deleted: {e.Message} Its file is '{path}'.", e);
            }
            return true;
        }
    }

    private byte[] BytesOf(string path)
    {
        if (FileIdentity.Of(path) is { IsRegular: false }) throw new IOException("It is no file.");
        using FileStream stream = File.OpenRead(path);
        if (stream.Length > _most) throw new FormatException($"{path}: the conversation has {stream.Length} bytes, and all may take {_most} together (ConversationBytes).");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>An id may be anything, a path among them; nobody can make another of the same hash.</summary>
    private string Name(string id) => $"{_model:x32}-{Convert.ToHexStringLower(SHA256.HashData(ConversationFile.BytesOf(id)))}{Extension}";
}
