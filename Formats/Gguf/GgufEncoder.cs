using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MambaRT.Formats;

/// <summary>Writes little-endian values of the GGUF header.</summary>
internal sealed class GgufEncoder(Stream stream)
{
    /// <summary>Refuses lone surrogates instead of writing something else.</summary>
    internal static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    internal void Write(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    internal void Write(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    internal void Write(string value)
    {
        byte[] bytes = Utf8.GetBytes(value);
        Write((ulong)bytes.Length);
        stream.Write(bytes);
    }

    /// <summary>Values of a type as wide in the file as in memory.</summary>
    internal void Write<T>(ReadOnlySpan<T> values) where T : unmanaged => stream.Write(MemoryMarshal.AsBytes(values));

    /// <summary>A key with its value.</summary>
    /// <exception cref="ArgumentException">The key is empty or too long, or it or a string in the value is not valid UTF-16.</exception>
    internal void WriteEntry(string key, GgufValue value)
    {
        if (Utf8.GetByteCount(key) is 0 or > GgufHeader.MaxKeyBytes)
            throw new ArgumentException($"A key must have 1 to {GgufHeader.MaxKeyBytes} bytes, not '{key}'.");
        Write(key);
        Write((uint)value.Type);
        if (value.Type == GgufValueType.Array) WriteArray(key, value, 1);
        else WriteScalar(value.Value);
    }

    private void WriteScalar(object value)
    {
        switch (value)
        {
            case string x: Write(x); break;
            case byte x: Write<byte>([x]); break;
            case sbyte x: Write<sbyte>([x]); break;
            case ushort x: Write<ushort>([x]); break;
            case short x: Write<short>([x]); break;
            case uint x: Write(x); break;
            case int x: Write((uint)x); break;
            case float x: Write<float>([x]); break;
            case bool x: Write<bool>([x]); break;
            case ulong x: Write(x); break;
            case long x: Write((ulong)x); break;
            default: Write<double>([(double)value]); break;
        }
    }

    private void WriteArray(string key, GgufValue array, int depth)
    {
        if (depth > GgufHeader.MaxDepth) throw new ArgumentException($"Key '{key}' nests arrays more than {GgufHeader.MaxDepth} deep.");
        Write((uint)array.ElementType);
        Write((ulong)array.Count);
        switch (array.ElementType)
        {
            case GgufValueType.String: foreach (string x in (string[])array.Value) Write(x); break;
            case GgufValueType.Array: foreach (GgufValue x in (GgufValue[])array.Value) WriteArray(key, x, depth + 1); break;
            case GgufValueType.UInt8: Write<byte>((byte[])array.Value); break;
            case GgufValueType.Int8: Write<sbyte>((sbyte[])array.Value); break;
            case GgufValueType.UInt16: Write<ushort>((ushort[])array.Value); break;
            case GgufValueType.Int16: Write<short>((short[])array.Value); break;
            case GgufValueType.UInt32: Write<uint>((uint[])array.Value); break;
            case GgufValueType.Int32: Write<int>((int[])array.Value); break;
            case GgufValueType.Float32: Write<float>((float[])array.Value); break;
            case GgufValueType.Bool: Write<bool>((bool[])array.Value); break;
            case GgufValueType.UInt64: Write<ulong>((ulong[])array.Value); break;
            case GgufValueType.Int64: Write<long>((long[])array.Value); break;
            default: Write<double>((double[])array.Value); break;
        }
    }
}
