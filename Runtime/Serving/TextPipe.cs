using System.Text;

namespace MambaRT.Serving;

/// <summary>Text on its way from the thread that computes to one reader, without a lock or an allocation of the writer's. What does not fit waits with the writer.</summary>
internal sealed class TextPipe
{
    /// <summary>Characters that may be unread before the writer is told to pause: some thousand tokens.</summary>
    private const int Capacity = 4096;

    private readonly char[] _ring = new char[Capacity];
    private readonly StringBuilder _held = new();   // the writer's until it has ended, the reader's from then on
    private TaskCompletionSource? _reader;
    private long _written;
    private long _read;
    private volatile bool _ended;

    /// <summary>Where the writer appends its text, for <see cref="Flush"/> to move.</summary>
    public StringBuilder Pending => _held;

    /// <summary>Whether the writer has ended and all is read.</summary>
    public bool IsOver => _ended && Volatile.Read(ref _written) == _read && _held.Length == 0;

    /// <summary>Moves what is pending to where it can be read; the writer's.</summary>
    /// <returns>Whether nothing is left: the writer may go on.</returns>
    public bool Flush()
    {
        long written = _written;
        int room = (int)(Capacity - (written - Volatile.Read(ref _read))), count = Math.Min(room, _held.Length);
        if (count > 0 && char.IsHighSurrogate(_held[count - 1])) count--;   // a character of two units is read whole
        if (count > 0)
        {
            int at = (int)(written % Capacity), first = Math.Min(count, Capacity - at);
            _held.CopyTo(0, _ring.AsSpan(at, first), first);
            _held.CopyTo(first, _ring.AsSpan(0, count - first), count - first);
            _held.Remove(0, count);
            Volatile.Write(ref _written, written + count);
            Wake();
        }
        return _held.Length == 0;
    }

    /// <summary>Notes that nothing follows; the writer's last call.</summary>
    public void End()
    {
        _ended = true;
        Wake();
    }

    /// <summary>All text that is there, which may be none; the reader's. No character is divided.</summary>
    public string Take()
    {
        bool ended = _ended;   // before the count: what is written before the end is then seen
        int count = (int)(Volatile.Read(ref _written) - _read) + (ended ? _held.Length : 0);
        return count == 0 ? "" : string.Create(count, this, static (to, pipe) => pipe.Take(to));
    }

    /// <summary>As much of it as there is room for.</summary>
    /// <returns>Characters taken.</returns>
    public int Take(Span<char> to)
    {
        bool ended = _ended;
        long read = _read;
        int unread = (int)(Volatile.Read(ref _written) - read), count = Math.Min(unread, to.Length);
        int at = (int)(read % Capacity), first = Math.Min(count, Capacity - at);
        _ring.AsSpan(at, first).CopyTo(to);
        _ring.AsSpan(0, count - first).CopyTo(to[first..]);
        if (count > 0 && count < unread && char.IsHighSurrogate(to[count - 1])) count--;
        Volatile.Write(ref _read, read + count);
        if (!ended || count < unread) return count;
        int held = Math.Min(_held.Length, to.Length - count);
        if (held > 0 && held < _held.Length && char.IsHighSurrogate(_held[held - 1])) held--;
        _held.CopyTo(0, to[count..], held);
        _held.Remove(0, held);
        return count + held;
    }

    /// <summary>Ends when there is something to take, or nothing more will come; the reader's.</summary>
    public Task WaitAsync(CancellationToken cancel)
    {
        var wait = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _reader, wait);
        Interlocked.MemoryBarrier();   // the writer writes and then looks for a reader; the reader says that it waits and then looks for text
        if (_ended || Volatile.Read(ref _written) != _read) wait.TrySetResult();
        return wait.Task.WaitAsync(cancel);
    }

    private void Wake()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _reader) is not null) Interlocked.Exchange(ref _reader, null)?.TrySetResult();
    }
}
