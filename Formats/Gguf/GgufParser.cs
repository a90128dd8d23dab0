namespace MambaRT.Formats;

/// <summary>Reads the header of one GGUF file; trusts nothing in it.</summary>
internal ref struct GgufParser
{
    private const int MinKeyBytes = 8 + 1 + 4 + 1;              // length, a character, type, a byte
    private const int MinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;   // length, a character, count, a dimension, type, offset
    private readonly string _subject;
    private readonly long _fileBytes;
    private readonly int _part;
    private GgufCursor _cursor;

    private GgufParser(string subject, ReadOnlySpan<byte> start, long fileBytes, int part)
    {
        _subject = subject;
        _fileBytes = fileBytes;
        _part = part;
        _cursor = new GgufCursor(subject, start);
    }

    /// <summary>Parses the header.</summary>
    /// <param name="subject">The file's path, for messages.</param>
    /// <param name="start">The file from its first byte, as much as a span can hold.</param>
    /// <param name="fileBytes">Length of the whole file.</param>
    /// <param name="part">Number of the file in a split model.</param>
    /// <exception cref="FormatException">The file is not GGUF, or damaged.</exception>
    /// <exception cref="NotSupportedException">A tensor has a type that is known but not read.</exception>
    internal static GgufHeader Parse(string subject, ReadOnlySpan<byte> start, long fileBytes, int part) =>
        new GgufParser(subject, start, fileBytes, part).Header();

    private GgufHeader Header()
    {
        uint version = Version();
        // The two counts stand before the first key: both are checked against what is left before either is believed.
        int tensorCount = _cursor.Count("tensors", MinTensorBytes), keyCount = _cursor.Count("keys", MinKeyBytes);
        var metadata = new GgufMetadata(_subject);
        for (int i = 0; i < keyCount; i++) ReadKey(metadata, i);
        int alignment = GgufHeader.Alignment(metadata);
        var tensors = new List<GgufTensorInfo>(tensorCount);
        for (int i = 0; i < tensorCount; i++) tensors.Add(ReadTensor(i, alignment));
        long dataStart = GgufHeader.AlignUp(_cursor.Position, alignment);
        for (int i = 0; i < tensors.Count; i++) tensors[i] = Place(tensors[i], dataStart);
        RefuseOverlaps(tensors);
        return new GgufHeader(version, metadata, tensors);
    }

    private uint Version()
    {
        uint magic = _cursor.UInt32();
        if (magic == 0x73726576)   // "vers": the pointer file that stands in for a large file in a git checkout
            throw LfsPointer.Refusal(_subject);
        if (magic != GgufHeader.Magic)
            throw new FormatException($"{_subject}: not a GGUF file: it begins with the bytes {magic & 255:x2} {magic >> 8 & 255:x2} {magic >> 16 & 255:x2} {magic >> 24:x2}, 'GGUF' (47 47 55 46) is needed; convert the model to GGUF.");
        uint version = _cursor.UInt32();
        if (version is 2 or 3) return version;
        throw new FormatException((version & 0xffff) == 0 && version != 0
            ? $"{_subject}: this GGUF file is big-endian; little-endian is needed: convert it on, or for, a little-endian machine."
            : $"{_subject}: GGUF version {version}; version 2 or 3 is needed: convert the model again.");
    }

    private void ReadKey(GgufMetadata metadata, int index)
    {
        _cursor.Enter("key", null, index);
        string key = _cursor.Text(GgufHeader.MaxKeyBytes);
        if (key.Length == 0) throw _cursor.Bad("has no name");
        _cursor.Enter("key", key, index);
        GgufValueType type = ValueType();
        GgufValue value = type == GgufValueType.Array ? ReadArray(1) : new GgufValue(type, type, ReadValue(type));
        if (!metadata.TryAdd(key, value)) throw _cursor.Bad("appears twice");
    }

    private GgufValueType ValueType()
    {
        uint type = _cursor.UInt32();
        return type <= (uint)GgufValueType.Float64 ? (GgufValueType)type
            : throw _cursor.Bad($"has the unknown value type {type}");
    }

    private object ReadValue(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 => _cursor.Byte(),
        GgufValueType.Int8 => (sbyte)_cursor.Byte(),
        GgufValueType.UInt16 => _cursor.Value<ushort>(),
        GgufValueType.Int16 => _cursor.Value<short>(),
        GgufValueType.UInt32 => _cursor.UInt32(),
        GgufValueType.Int32 => _cursor.Value<int>(),
        GgufValueType.Float32 => _cursor.Value<float>(),
        GgufValueType.Bool => _cursor.Bool(),
        GgufValueType.String => _cursor.Text(),
        GgufValueType.UInt64 => _cursor.UInt64(),
        GgufValueType.Int64 => _cursor.Value<long>(),
        _ => _cursor.Value<double>(),
    };

    private GgufValue ReadArray(int depth)
    {
        if (depth > GgufHeader.MaxDepth) throw _cursor.Bad($"nests arrays more than {GgufHeader.MaxDepth} deep");
        GgufValueType type = ValueType();
        int count = _cursor.Count($"elements of type {type}", MinBytes(type));
        return new GgufValue(GgufValueType.Array, type, type switch
        {
            GgufValueType.UInt8 => _cursor.Values<byte>(count),
            GgufValueType.Int8 => _cursor.Values<sbyte>(count),
            GgufValueType.UInt16 => _cursor.Values<ushort>(count),
            GgufValueType.Int16 => _cursor.Values<short>(count),
            GgufValueType.UInt32 => _cursor.Values<uint>(count),
            GgufValueType.Int32 => _cursor.Values<int>(count),
            GgufValueType.Float32 => _cursor.Values<float>(count),
            GgufValueType.Bool => Bools(count),
            GgufValueType.String => Strings(count),
            GgufValueType.Array => Arrays(count, depth),
            GgufValueType.UInt64 => _cursor.Values<ulong>(count),
            GgufValueType.Int64 => _cursor.Values<long>(count),
            _ => _cursor.Values<double>(count),
        });
    }

    private static int MinBytes(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.Array => 12,   // type and count
        _ => 8,                      // 64-bit numbers; the length of a string
    };

    private bool[] Bools(int count)
    {
        var values = new bool[count];
        for (int i = 0; i < count; i++) values[i] = _cursor.Bool();
        return values;
    }

    private string[] Strings(int count)
    {
        var values = new string[count];
        for (int i = 0; i < count; i++) values[i] = _cursor.Text(element: i);
        return values;
    }

    private GgufValue[] Arrays(int count, int depth)
    {
        var values = new GgufValue[count];
        for (int i = 0; i < count; i++) values[i] = ReadArray(depth + 1);
        return values;
    }

    /// <summary>One row of the tensor table; its offset still counts from the start of the data section.</summary>
    private GgufTensorInfo ReadTensor(int index, int alignment)
    {
        _cursor.Enter("tensor", null, index);
        string name = _cursor.Text(GgufHeader.MaxNameBytes);
        if (name.Length == 0) throw _cursor.Bad("has no name");
        _cursor.Enter("tensor", name, index);
        uint count = _cursor.UInt32();
        if (count is 0 or > GgufHeader.MaxDimensions) throw _cursor.Bad($"has {count} dimensions; 1 to {GgufHeader.MaxDimensions} are needed");
        long[] dimensions = _cursor.Values<long>((int)count);
        QuantType type = TensorType(name, _cursor.UInt32());
        long bytes = GgufHeader.TensorBytes(type, dimensions, out string fault) ?? throw _cursor.Bad(fault);
        ulong offset = _cursor.UInt64();
        if (offset > long.MaxValue / 4) throw _cursor.Bad($"has the offset {offset}, but the file has {_fileBytes} bytes");
        if (offset % (ulong)alignment != 0) throw _cursor.Bad($"has the offset {offset}, which is not a multiple of the alignment {alignment}");
        return new GgufTensorInfo(name, type, dimensions, (long)offset, bytes, _part);
    }

    private readonly QuantType TensorType(string name, uint id)
    {
        if (QuantTypes.ById((int)id) is { } type) return type;
        string readable = string.Join(", ", QuantTypes.All.Select(t => t.Name));
        throw QuantTypes.UnsupportedName((int)id) is { } known
            ? new NotSupportedException($"{_subject}: tensor '{Printable.Text(name)}' is stored as {known}, which MambaRT does not read; it reads {readable}: re-quantize the model.")
            : new FormatException($"{_subject}: tensor '{Printable.Text(name)}' has the unknown type number {id}; MambaRT reads {readable}: re-quantize the model, or download it again if it is damaged.");
    }

    /// <summary>The tensor with its offset counted from the first byte of the file.</summary>
    private GgufTensorInfo Place(GgufTensorInfo tensor, long dataStart)
    {
        _cursor.Enter("tensor", tensor.Name, -1);
        long offset = dataStart + tensor.Offset;
        return offset <= _fileBytes - tensor.Bytes ? tensor with { Offset = offset }
            : throw _cursor.Bad($"needs {tensor.Bytes} bytes at offset {offset}, but the file has {_fileBytes} bytes");
    }

    private void RefuseOverlaps(List<GgufTensorInfo> tensors)
    {
        GgufTensorInfo[] sorted = [.. tensors];
        Array.Sort(sorted, static (a, b) => a.Offset.CompareTo(b.Offset));
        for (int i = 1; i < sorted.Length; i++)
        {
            if (sorted[i].Offset >= sorted[i - 1].Offset + sorted[i - 1].Bytes) continue;
            _cursor.Enter("tensor", sorted[i].Name, -1);
            throw _cursor.Bad($"overlaps tensor '{Printable.Text(sorted[i - 1].Name)}'");
        }
    }
}
