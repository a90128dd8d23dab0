using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MambaRT.Formats;

/// <summary>Writes a safetensors file in one pass: the header, then each tensor as its callback produces it.</summary>
/// <remarks>Not for several threads at once. Source: the format section of huggingface/safetensors.</remarks>
internal sealed class SafetensorsWriter
{
    private readonly List<(string Name, string DType, long[] Shape, long Bytes, Action<Stream> Write)> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    /// <summary>Announces a tensor.</summary>
    /// <param name="name">Its name, unique.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="shape">Its sizes, the slowest-varying first.</param>
    /// <param name="write">Writes exactly the tensor's bytes; called once per <see cref="WriteTo"/>, in order of addition.</param>
    /// <exception cref="ArgumentException">The format has no such type, or the name is taken.</exception>
    public void AddTensor(string name, QuantType type, ReadOnlySpan<long> shape, Action<Stream> write)
    {
        if (CheckpointTensor.ElementBytes(type.Name) != type.BlockBytes)
            throw new ArgumentException($"Tensor '{name}' is to be stored as {type}; safetensors holds F32, F16 or BF16.", nameof(type));
        if (name == "__metadata__" || !_names.Add(name)) throw new ArgumentException($"There already is a tensor '{name}'.", nameof(name));
        long bytes = type.BlockBytes;
        foreach (long size in shape) bytes = checked(bytes * size);
        _tensors.Add((name, type.Name, shape.ToArray(), bytes, write));
    }

    /// <summary>Writes the file to a stream, which need not seek and stays open.</summary>
    /// <exception cref="InvalidOperationException">A tensor wrote fewer or more bytes than announced.</exception>
    public void WriteTo(Stream stream)
    {
        stream.Write(Header());
        foreach (var (name, _, _, bytes, write) in _tensors)
        {
            var window = new WindowStream(stream, name, bytes);
            write(window);
            window.EnsureFull();
        }
        stream.Flush();
    }

    /// <summary>The length and the JSON header, padded with spaces so that the tensors begin at a multiple of 8.</summary>
    private byte[] Header()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");   // transformers refuses a file that does not say so
            json.WriteEndObject();
            long offset = 0;
            foreach (var (name, type, shape, bytes, _) in _tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", type);
                WriteNumbers(json, "shape", shape);
                WriteNumbers(json, "data_offsets", [offset, offset + bytes]);
                json.WriteEndObject();
                offset += bytes;
            }
            json.WriteEndObject();
        }
        var header = new byte[8 + (buffer.WrittenCount + 7) / 8 * 8];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - 8);
        buffer.WrittenSpan.CopyTo(header.AsSpan(8));
        return header;
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, ReadOnlySpan<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (long number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}
