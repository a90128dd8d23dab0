using System.Buffers.Binary;
using System.Text;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>Writes GGUF bytes without checking anything, so that a test can damage what the writer would refuse to write.</summary>
internal sealed class RawGguf
{
    private readonly List<byte[]> _keys = [], _tensors = [];

    internal uint Magic { get; init; } = 0x46554747;
    internal uint Version { get; init; } = 3;
    internal ulong? TensorCount { get; init; }
    internal ulong? KeyCount { get; init; }
    internal int Alignment { get; init; } = 32;
    internal int DataBytes { get; init; } = 64;

    internal RawGguf Key(string name, GgufValueType type, params byte[] payload) => Key(Encoding.UTF8.GetBytes(name), (uint)type, payload);

    internal RawGguf Key(byte[] name, uint type, params byte[] payload)
    {
        _keys.Add([.. Text(name), .. U32(type), .. payload]);
        return this;
    }

    internal RawGguf Tensor(string name, uint type, ulong offset, params ulong[] dimensions) =>
        Tensor(Encoding.UTF8.GetBytes(name), type, offset, (uint)dimensions.Length, dimensions);

    internal RawGguf Tensor(byte[] name, uint type, ulong offset, uint count, params ulong[] dimensions)
    {
        _tensors.Add([.. Text(name), .. U32(count), .. dimensions.SelectMany(U64), .. U32(type), .. U64(offset)]);
        return this;
    }

    internal byte[] Build()
    {
        byte[] header =
        [
            .. U32(Magic), .. U32(Version), .. U64(TensorCount ?? (ulong)_tensors.Count), .. U64(KeyCount ?? (ulong)_keys.Count),
            .. _keys.SelectMany(k => k), .. _tensors.SelectMany(t => t),
        ];
        return [.. header, .. new byte[(Alignment - header.Length % Alignment) % Alignment + DataBytes]];
    }

    internal static byte[] U32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    internal static byte[] U64(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }

    internal static byte[] Text(string text) => Text(Encoding.UTF8.GetBytes(text));

    internal static byte[] Text(byte[] text) => [.. U64((ulong)text.Length), .. text];
}
