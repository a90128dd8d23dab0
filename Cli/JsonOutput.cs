using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MambaRT.Cli;

/// <summary>JSON on standard output, in bounded memory however long it grows.</summary>
internal sealed class JsonOutput
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly TextWriter _output;

    public JsonOutput(TextWriter output)
    {
        _output = output;
        Writer = new Utf8JsonWriter(_bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    public Utf8JsonWriter Writer { get; }

    /// <summary>Hands on what is written so far.</summary>
    public void Spill()
    {
        Writer.Flush();
        _output.Write(Encoding.UTF8.GetString(_bytes.WrittenSpan));
        _bytes.ResetWrittenCount();
    }

    /// <summary>Ends the document with a line break.</summary>
    public void End()
    {
        Spill();
        _output.Write('\n');
        _output.Flush();
    }

    /// <summary>A float32 that reads back as the same; null stands for what JSON has no number for.</summary>
    public void Number(string name, float value)
    {
        if (float.IsFinite(value)) Writer.WriteNumber(name, value);
        else Writer.WriteNull(name);
    }

    /// <summary>A double, or null for what JSON has no number for.</summary>
    public void Number(string name, double value)
    {
        if (double.IsFinite(value)) Writer.WriteNumber(name, value);
        else Writer.WriteNull(name);
    }

    /// <summary>Bytes as a list of numbers.</summary>
    public void Bytes(string name, ReadOnlySpan<byte> bytes)
    {
        Writer.WriteStartArray(name);
        foreach (byte value in bytes) Writer.WriteNumberValue(value);
        Writer.WriteEndArray();
    }

    /// <summary>A list of texts.</summary>
    public void Strings(string name, IReadOnlyList<string> texts)
    {
        Writer.WriteStartArray(name);
        foreach (string text in texts) Writer.WriteStringValue(text);
        Writer.WriteEndArray();
    }
}
