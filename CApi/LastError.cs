using System.Runtime.InteropServices;
using System.Text;

namespace MambaRT.CApi;

/// <summary>The last failure of each thread: its code, and its text as C reads it.</summary>
internal static unsafe class LastError
{
    [ThreadStatic] private static Text? _text;
    [ThreadStatic] private static Status _status;

    /// <summary>The code; Ok where nothing failed on this thread.</summary>
    public static Status Status => _status;

    /// <summary>The text, zero-terminated, valid until the next failure on this thread.</summary>
    public static byte* Address => _text is null ? Empty : _text.Address;

    private static byte* Empty { get; } = (byte*)NativeMemory.AllocZeroed(1);

    /// <summary>Notes what an exception says. Nothing passes the border but the code that is returned.</summary>
    public static Status Set(Exception e)
    {
        _status = StatusOf(e);
        try
        {
            (_text ??= new Text()).Set(_status == Status.Internal ? $"{e.GetType().Name}: {e.Message}" : SentenceOf(e));
        }
        catch (OutOfMemoryException)
        {
            _text = null;
        }
        return _status;
    }

    /// <summary>What an exception says, without what .NET adds for its own programmers.</summary>
    private static string SentenceOf(Exception e) => e switch
    {
        ObjectDisposedException { ObjectName: { Length: > 0 } name } => $"The {Kind(name)} was closed; nothing can be done with it any more.",
        ArgumentException { ParamName: { Length: > 0 } name } when e.Message.IndexOf($" (Parameter '{name}')", StringComparison.Ordinal) is > 0 and int at => e.Message[..at],
        _ => e.Message,
    };

    private static string Kind(string type) => type[(type.LastIndexOf('.') + 1)..] switch { "Model" => "model", "ModelHost" => "host", "ChatSession" => "chat", "Session" => "session", var other => other };

    private static Status StatusOf(Exception e) => e switch
    {
        StatusException known => known.Status,
        StateBudgetException => Status.StateBudget,
        QueueFullException => Status.Full,
        OperationCanceledException => Status.Cancelled,
        ObjectDisposedException => Status.Closed,
        ArgumentException => Status.Argument,
        FormatException or EndOfStreamException => Status.Format,
        NotSupportedException => Status.Unsupported,
        IOException or UnauthorizedAccessException => Status.Io,
        OutOfMemoryException or OverflowException => Status.Memory,
        InvalidOperationException => Status.State,
        _ => Status.Internal,
    };

    /// <summary>A text in native memory, freed with its thread.</summary>
    private sealed class Text
    {
        ~Text() => NativeMemory.Free(Address);

        public byte* Address { get; private set; }

        public void Set(string text)
        {
            int bytes = Encoding.UTF8.GetByteCount(text);
            Address = (byte*)NativeMemory.Realloc(Address, (nuint)bytes + 1);
            Encoding.UTF8.GetBytes(text, new Span<byte>(Address, bytes));
            Address[bytes] = 0;
        }
    }
}
