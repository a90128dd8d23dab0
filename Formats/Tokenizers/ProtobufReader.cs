using System.Buffers.Binary;

namespace MambaRT.Formats;

/// <summary>Reads the fields of one protocol-buffers message; knows no schema and trusts nothing.</summary>
/// <remarks>Source: the encoding section of protobuf.dev. Groups, which nothing writes any more, are refused.</remarks>
internal ref struct ProtobufReader(string subject, ReadOnlySpan<byte> message)
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5;

    private ReadOnlySpan<byte> _left = message;
    private int _wire;

    /// <summary>Number of the field read last.</summary>
    public int Field { get; private set; }

    /// <summary>Goes to the next field, whose value must be read or skipped; false at the end.</summary>
    public bool Next()
    {
        if (_left.IsEmpty) return false;
        ulong tag = ReadVarint();
        _wire = (int)(tag & 7);
        Field = tag >> 3 is >= 1 and <= int.MaxValue and ulong field ? (int)field : throw Bad("has a field without a number");
        return true;
    }

    /// <summary>An integer, as wide as its type says; negative ones are sign-extended to 64 bits in the file.</summary>
    public long Integer()
    {
        Expect(Varint);
        return (long)ReadVarint();
    }

    /// <summary>A float32.</summary>
    public float Float()
    {
        Expect(Fixed32);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    /// <summary>A text's or an inner message's bytes.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        Expect(Delimited);
        return Take(ReadVarint());
    }

    /// <summary>Goes over a value.</summary>
    public void Skip()
    {
        switch (_wire)
        {
            case Varint: ReadVarint(); break;
            case Fixed64: Take(8); break;
            case Delimited: Take(ReadVarint()); break;
            case Fixed32: Take(4); break;
            default: throw Bad($"has a field of the wire type {_wire}");
        }
    }

    private readonly void Expect(int wire)
    {
        if (_wire != wire) throw Bad($"stores field {Field} as wire type {_wire}; {wire} is needed");
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
        throw Bad("has an integer of more than 10 bytes");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_left.Length) throw Bad($"claims {count} bytes where {_left.Length} are left");
        ReadOnlySpan<byte> bytes = _left[..(int)count];
        _left = _left[(int)count..];
        return bytes;
    }

    private readonly FormatException Bad(string what) => new($"{subject}: the file {what}: this is no SentencePiece model, or it is damaged; download it again.");
}
