using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace MambaRT.Formats;

/// <summary>Reads little-endian values one after the other; every read is checked, every error says what was being read.</summary>
internal ref struct GgufCursor(string subject, ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private string _kind = "the header";
    private string? _name;
    private long _index = -1;

    /// <summary>Bytes read so far.</summary>
    internal int Position { get; private set; }

    /// <summary>Bytes not read yet.</summary>
    internal readonly int Remaining => _bytes.Length - Position;

    /// <summary>Says what the next reads are about: "key" or "tensor", and its name, or its number while the name is unknown.</summary>
    internal void Enter(string kind, string? name, long index)
    {
        _kind = kind;
        _name = name;
        _index = index;
    }

    internal byte Byte() => Take(1)[0];

    internal uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    internal ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>One value of a type as wide in memory as in the file.</summary>
    internal T Value<T>() where T : unmanaged => MemoryMarshal.Read<T>(Take(Unsafe.SizeOf<T>()));

    /// <summary>Consecutive values of a type as wide in memory as in the file; the caller checked the count.</summary>
    internal T[] Values<T>(int count) where T : unmanaged
    {
        ReadOnlySpan<byte> source = Take((long)count * Unsafe.SizeOf<T>());
        T[] values = GC.AllocateUninitializedArray<T>(count);
        source.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    /// <summary>A byte that must be 0 or 1.</summary>
    internal bool Bool()
    {
        byte value = Byte();
        return value <= 1 ? value == 1 : throw Bad($"holds the bool {value}; 0 or 1 is needed");
    }

    /// <summary>A 64-bit count of things that take at least <paramref name="minBytes"/> each: more than could follow is refused before anything is allocated.</summary>
    internal int Count(string things, int minBytes)
    {
        ulong count = UInt64();
        return count <= (ulong)(Remaining / minBytes) ? (int)count
            : throw Bad($"claims {count} {things}, but the {Remaining} bytes left hold {Remaining / minBytes} at most");
    }

    /// <summary>A string with its 64-bit length, in valid UTF-8.</summary>
    /// <param name="maxBytes">The longest one accepted.</param>
    /// <param name="element">Its place in an array, for messages, or -1.</param>
    internal string Text(int maxBytes = int.MaxValue, int element = -1)
    {
        ulong length = UInt64();
        if (length > (ulong)Math.Min(maxBytes, Remaining))
            throw Bad(length <= (ulong)Remaining
                ? $"has a string of {length} bytes{At(element)}; at most {maxBytes} are allowed"
                : $"has a string of {length} bytes{At(element)}, but {Remaining} bytes are left");
        return Decode(Take((long)length)) ?? throw Bad($"has a string that is not valid UTF-8{At(element)}");
    }

    /// <summary>An error about what is being read: the sentence's predicate, without its full stop.</summary>
    internal readonly FormatException Bad(string predicate)
    {
        string item = _name is { } name ? $"{_kind} '{Printable.Text(name)}'" : _index >= 0 ? $"{_kind} number {_index}" : _kind;
        return new FormatException($"{subject}: {item} {predicate}: the file is damaged or incomplete; download or convert it again.");
    }

    /// <summary>The text, or null when it is not valid UTF-8. A vocabulary is 100,000 short strings: those are scanned once, without an encoder.</summary>
    [SkipLocalsInit]
    private static string? Decode(ReadOnlySpan<byte> utf8)
    {
        const int Short = 64;
        if (utf8.Length > Short) return Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : null;
        Span<char> text = stackalloc char[Short];
        return Utf8.ToUtf16(utf8, text, out _, out int length, replaceInvalidSequences: false) == OperationStatus.Done ? new string(text[..length]) : null;
    }

    private static string At(int element) => element < 0 ? "" : $" in element {element}";

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count > Remaining) throw Bad($"needs {count} bytes at offset {Position}, where only {Remaining} are left");
        ReadOnlySpan<byte> taken = _bytes.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }
}
