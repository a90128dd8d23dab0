using System.Buffers.Binary;
using System.Text.Json;

namespace MambaRT.Formats;

/// <summary>Reads the JSON header of a safetensors file; trusts nothing in it.</summary>
/// <remarks>Source: the format section and the checks of huggingface/safetensors.</remarks>
internal ref struct SafetensorsHeader
{
    private const int LengthBytes = 8;
    private const int MaxHeaderBytes = 100_000_000;
    private const int MaxRank = 8;
    private readonly WeightBytes _file;
    private readonly long _dataStart;
    private readonly long _dataBytes;
    private Utf8JsonReader _json;

    private SafetensorsHeader(WeightBytes file, ReadOnlySpan<byte> header)
    {
        _file = file;
        _dataStart = LengthBytes + header.Length;
        _dataBytes = file.Length - _dataStart;
        _json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
    }

    /// <summary>Parses the header and checks that the tensors fill the rest of the file exactly.</summary>
    /// <param name="file">The file.</param>
    /// <param name="metadata">Takes the file's own key–value pairs.</param>
    /// <exception cref="FormatException">The file is not safetensors, or damaged.</exception>
    /// <exception cref="NotSupportedException">An element type is unknown.</exception>
    internal static List<CheckpointTensor> Parse(WeightBytes file, Dictionary<string, string> metadata)
    {
        string subject = file.Path;
        ReadOnlySpan<byte> start = file.Start;
        ulong length = start.Length >= LengthBytes ? BinaryPrimitives.ReadUInt64LittleEndian(start)
            : throw Bad(subject, $"the file has {start.Length} bytes; at least {LengthBytes} are needed");
        if (length > MaxHeaderBytes) throw Bad(subject, $"the header claims {length} bytes; at most {MaxHeaderBytes} are allowed");
        if (length > (ulong)(start.Length - LengthBytes)) throw Bad(subject, $"the header claims {length} bytes, but {start.Length - LengthBytes} are left");
        ReadOnlySpan<byte> header = start.Slice(LengthBytes, (int)length);
        if (header.IsEmpty || header[0] != '{') throw Bad(subject, "the header does not begin with '{'");
        var parser = new SafetensorsHeader(file, header);
        try
        {
            return parser.Tensors(metadata);
        }
        catch (JsonException e)
        {
            throw Bad(subject, $"the header is not valid JSON at its byte {parser._json.BytesConsumed}", e);
        }
        catch (InvalidOperationException e)   // a string that is not valid UTF-8 or has a lone surrogate
        {
            throw Bad(subject, $"the header has a string that is not valid text before its byte {parser._json.BytesConsumed}", e);
        }
    }

    private List<CheckpointTensor> Tensors(Dictionary<string, string> metadata)
    {
        var tensors = new List<CheckpointTensor>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (_json.Read(); NextName() is { } name;)
        {
            if (!names.Add(name)) throw Bad($"'{Printable.Text(name)}' appears twice in the header");
            if (name == "__metadata__") ReadMetadata(metadata);
            else tensors.Add(ReadTensor(name));
        }
        if (_json.Read()) throw Bad("the header has something after its object");
        EnsureFilled(tensors);
        return tensors;
    }

    private void ReadMetadata(Dictionary<string, string> metadata)
    {
        ExpectObject("__metadata__");
        while (NextName() is { } key)
        {
            if (!_json.Read() || _json.TokenType != JsonTokenType.String) throw Bad($"'__metadata__' key '{Printable.Text(key)}' is not a string");
            if (!metadata.TryAdd(key, _json.GetString()!)) throw Bad($"'__metadata__' key '{Printable.Text(key)}' appears twice");
        }
    }

    private CheckpointTensor ReadTensor(string name)
    {
        ExpectObject(name);
        string? type = null;
        List<long>? shape = null, offsets = null;
        while (NextName() is { } field)
        {
            _json.Read();
            if (field is "dtype" && type is null) type = _json.TokenType == JsonTokenType.String ? _json.GetString() : throw BadTensor(name, "has a 'dtype' that is not a string");
            else if (field is "shape" && shape is null) shape = ReadNumbers(name, field, MaxRank);
            else if (field is "data_offsets" && offsets is null) offsets = ReadNumbers(name, field, 2);
            else throw BadTensor(name, $"has the field '{Printable.Text(field)}' twice or for no known reason");
        }
        if (type is null || shape is null || offsets is not { Count: 2 })
            throw BadTensor(name, $"has no '{(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}' or an incomplete one");
        if (offsets[0] > offsets[1] || offsets[1] > _dataBytes)
            throw BadTensor(name, $"has the data_offsets {offsets[0]} to {offsets[1]}, but the data has {_dataBytes} bytes");
        Int128 needed = ElementBytes(name, type);
        // The sizes are multiplied in 128 bits and refused as soon as they exceed any file; a later zero cannot undo that.
        foreach (long size in shape)
            if ((needed *= size) > long.MaxValue) throw BadTensor(name, $"has a shape of more than {long.MaxValue} bytes");
        long bytes = offsets[1] - offsets[0];
        if (needed != bytes) throw BadTensor(name, $"has {bytes} bytes; {needed} are needed for {type} [{string.Join(", ", shape)}]");
        return new CheckpointTensor(_file, name, type, shape.ToArray(), _dataStart + offsets[0]);
    }

    private readonly int ElementBytes(string name, string type) => CheckpointTensor.ElementBytes(type) is > 0 and int bytes ? bytes
        : throw new NotSupportedException($"{_file.Path}: tensor '{Printable.Text(name)}' has the element type '{Printable.Text(type)}', which MambaRT does not know; convert the model to F32, F16 or BF16.");

    private List<long> ReadNumbers(string name, string field, int most)
    {
        if (_json.TokenType != JsonTokenType.StartArray) throw BadTensor(name, $"has a '{field}' that is not an array");
        var numbers = new List<long>(4);
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.Number || !_json.TryGetInt64(out long number) || number < 0)
                throw BadTensor(name, $"has a '{field}' with something other than whole numbers from 0 to {long.MaxValue}");
            if (numbers.Count == most) throw BadTensor(name, $"has a '{field}' of more than {most} numbers");
            numbers.Add(number);
        }
        return numbers;
    }

    private readonly void EnsureFilled(List<CheckpointTensor> tensors)
    {
        CheckpointTensor[] sorted = [.. tensors];
        Array.Sort(sorted, static (a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Bytes.CompareTo(b.Bytes));
        long end = _dataStart;
        foreach (CheckpointTensor tensor in sorted)
        {
            if (tensor.Offset != end)
                throw BadTensor(tensor.Name, tensor.Offset < end ? $"overlaps the tensor before it by {end - tensor.Offset} bytes" : $"leaves a hole of {tensor.Offset - end} bytes before it");
            end += tensor.Bytes;
        }
        if (end != _dataStart + _dataBytes) throw Bad($"the file has {_dataStart + _dataBytes - end} bytes that belong to no tensor");
    }

    private string? NextName()
    {
        _json.Read();
        return _json.TokenType == JsonTokenType.PropertyName ? _json.GetString() : null;
    }

    private void ExpectObject(string name)
    {
        if (!_json.Read() || _json.TokenType != JsonTokenType.StartObject) throw Bad($"'{Printable.Text(name)}' in the header is not an object");
    }

    private readonly FormatException BadTensor(string name, string predicate) => Bad($"tensor '{Printable.Text(name)}' {predicate}");

    private readonly FormatException Bad(string what) => Bad(_file.Path, what);

    private static FormatException Bad(string subject, string what, Exception? inner = null) =>
        new($"{subject}: {what}: this is no safetensors file, or it is damaged or incomplete; download it again.", inner);
}
