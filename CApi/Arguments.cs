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

    /// <summary>A time to be spent, in microseconds.</summary>
    public static TimeSpan Budget(long microseconds) => microseconds is >= 0 and <= int.MaxValue ? TimeSpan.FromMicroseconds(microseconds)
        : throw new StatusException(Status.Argument, $"'budget_us' is {microseconds}; 0 to {int.MaxValue} are taken.");

    /// <summary>A text with a length; what is no UTF-8 becomes U+FFFD.</summary>
    public static string Text(byte* text, nuint bytes, string name) => Strict.GetString(Values(text, bytes, name));

    /// <summary>A text that ends with a zero.</summary>
    public static string Text(byte* text, string name) => TextOrNull(text) ?? throw new StatusException(Status.Argument, $"'{name}' is NULL; a text is needed.");

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
        if (size < sizeof(uint) || size > (nuint)sizeof(T)) throw new StatusException(Status.Argument, $"'size' is {size}; sizeof({type}) is needed, up to {sizeof(T)} in this library.");
        *(uint*)&defaults = (uint)size;
        Unsafe.CopyBlockUnaligned(place, &defaults, (uint)size);
    }

    /// <summary>Takes a structure whose first field is its size, as an earlier header may have made it: what it lacks keeps its default.</summary>
    public static T Take<T>(T* given, in T defaults, string init) where T : unmanaged
    {
        T taken = defaults;
        if (given == null) return taken;
        uint size = *(uint*)given;
        if (size < sizeof(uint) || size > sizeof(T)) throw WrongSize(size, sizeof(T), init);
        Unsafe.CopyBlockUnaligned(&taken, given, size);
        return taken;
    }

    /// <summary>Fills a structure whose first field is the size that the caller knows.</summary>
    public static void Fill<T>(T* place, T values, string init) where T : unmanaged
    {
        Require(place, "the structure");
        uint size = *(uint*)place;
        if (size < sizeof(uint) || size > sizeof(T)) throw WrongSize(size, sizeof(T), init);
        *(uint*)&values = size;
        Unsafe.CopyBlockUnaligned(place, &values, size);
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

    private static StatusException WrongSize(uint size, int largest, string init) =>
        new(Status.Argument, $"A structure says that it has {size} bytes; this library knows up to {largest}. Have it set by {init}.");
}
