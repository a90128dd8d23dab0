using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace MambaRT.CApi;

/// <summary>Checks what C hands over before it is used, and hands results back.</summary>
internal static unsafe class Arguments
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: false);

    /// <summary>Refuses a null where a result goes.</summary>
    public static void Require(void* result, string name)
    {
        if (result == null) throw new StatusException(Status.Argument, $"'{name}' is NULL; a place for the result is needed.");
    }

    /// <summary>Values of the caller's.</summary>
    public static ReadOnlySpan<T> Values<T>(T* values, nuint count, string name) where T : unmanaged
    {
        if (values == null && count > 0) throw new StatusException(Status.Argument, $"'{name}' is NULL, with a count of {count}.");
        if (count > int.MaxValue) throw new StatusException(Status.Argument, $"'{name}' has {count} entries; at most {int.MaxValue} are taken.");
        return new ReadOnlySpan<T>(values, (int)count);
    }

    /// <summary>A time to be spent, in microseconds; half an hour at most.</summary>
    public static TimeSpan Budget(long microseconds) => microseconds >= 0 ? TimeSpan.FromMicroseconds(Math.Min(microseconds, 1_800_000_000))
        : throw new StatusException(Status.Argument, $"'budget_us' is {microseconds}; 0 or more are needed.");

    /// <summary>A text with a length; what is no UTF-8 becomes U+FFFD.</summary>
    public static string Text(byte* text, nuint bytes, string name) => Strict.GetString(Values(text, bytes, name));

    /// <summary>A text that ends with a zero.</summary>
    public static string Text(byte* text, string name) => TextOrNull(text) ?? throw new StatusException(Status.Argument, $"'{name}' is NULL; a text is needed.");

    /// <summary>A file's path.</summary>
    public static string Path(byte* text) => Text(text, "path") is { Length: > 0 } path ? path : throw new StatusException(Status.Argument, "'path' is empty; the path of a file is needed.");

    /// <summary>A text that ends with a zero, or null.</summary>
    public static string? TextOrNull(byte* text) => text == null ? null : Strict.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));

    /// <summary>A folder's name, or null.</summary>
    public static string? FolderOrNull(byte* text, string name) => TextOrNull(text) is not "" and var folder ? folder
        : throw new StatusException(Status.Argument, $"'{name}' is empty; a folder's name is needed, or NULL for none.");

    /// <summary>Hands out values where there is room for all of them; else none, and how many there are.</summary>
    public static void Give<T>(ReadOnlySpan<T> values, T* place, nuint capacity, nuint* count, string name) where T : unmanaged
    {
        Require(count, name);
        *count = (nuint)values.Length;
        if ((nuint)values.Length > capacity) throw new StatusException(Status.Buffer, $"There is room for {capacity} and {values.Length} are needed; '{name}' says how many.");
        if (values.Length == 0) return;
        Require(place, "the memory for the result");
        values.CopyTo(new Span<T>(place, values.Length));
    }

    /// <summary>Hands out a text as <see cref="Give{T}"/> does.</summary>
    public static void Give(string text, byte* place, nuint capacity, nuint* length) => Give<byte>(Encoding.UTF8.GetBytes(text), place, capacity, length, "length");

    /// <summary>Sets the defaults of a structure, as much of it as the caller knows.</summary>
    public static void Init<T>(T* place, nuint size, T defaults, string type) where T : unmanaged
    {
        Require(place, "options");
        if (!IsSize<T>(size)) throw new StatusException(Status.Argument, $"'size' is {size}; sizeof({type}) is needed, up to {sizeof(T)} in this library.");
        *(uint*)&defaults = (uint)size;
        Unsafe.CopyBlockUnaligned(place, &defaults, (uint)size);
    }

    /// <summary>Takes a structure whose first field is its size, as an earlier header may have made it: what it lacks keeps its default.</summary>
    public static T Take<T>(T* given, in T defaults, string init) where T : unmanaged
    {
        T taken = defaults;
        if (given == null) return taken;
        uint size = *(uint*)given;
        if (!IsSize<T>(size)) throw WrongSize(size, sizeof(T), init);
        Unsafe.CopyBlockUnaligned(&taken, given, size);
        return taken;
    }

    /// <summary>Fills a structure whose first field is the size that the caller knows.</summary>
    public static void Fill<T>(T* place, T values, string init) where T : unmanaged
    {
        RequireSize(place, init);
        uint size = *(uint*)place;
        *(uint*)&values = size;
        Unsafe.CopyBlockUnaligned(place, &values, size);
    }

    /// <summary>Refuses a place for <see cref="Fill{T}"/> that is none, before what it is to tell of is done.</summary>
    public static void RequireSize<T>(T* place, string init) where T : unmanaged
    {
        Require(place, "the structure");
        if (!IsSize<T>(*(uint*)place)) throw WrongSize(*(uint*)place, sizeof(T), init);
    }

    /// <summary>Refuses a place for progress that is none, before a step is made; it may be left out.</summary>
    public static void Check(ProgressLayout* place)
    {
        if (place != null) RequireSize(place, "sizeof(mrt_progress)");
    }

    /// <summary>Tells what a step has done, where the caller wants to know.</summary>
    public static void Fill(ProgressLayout* place, StepProgress progress)
    {
        if (place == null) return;
        Fill(place, new ProgressLayout
        {
            PromptTokens = progress.PromptTokens, GeneratedTokens = progress.GeneratedTokens, Finished = progress.Finished, More = progress.HasMore ? 1 : 0,
        }, "sizeof(mrt_progress)");
    }

    /// <summary>Whether a structure can have had so many bytes in some header: whole fields, as each structure has been padded to where its widest field may lie.</summary>
    private static bool IsSize<T>(nuint size) where T : unmanaged => size >= sizeof(uint) && size <= (nuint)sizeof(T) && size % (nuint)(sizeof((byte, T)) - sizeof(T)) == 0;

    private static StatusException WrongSize(uint size, int largest, string init) =>
        new(Status.Argument, $"A structure says that it has {size} bytes; this library knows up to {largest}. Have it set by {init}.");
}
