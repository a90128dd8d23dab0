using System.Globalization;
using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>What 'info' tells, as JSON.</summary>
internal static class InfoJson
{
    private const int LongestArray = 64;

    /// <summary>Writes one object; the plan's operations, what a check and what a trace found only where <paramref name="shown"/>, <paramref name="damaged"/> and <paramref name="trace"/> are there.</summary>
    public static void Write(TextWriter output, GgufFile file, Plan? plan, long stateBudget, Plan? shown, IReadOnlyList<NonFiniteTensor>? damaged, FinishedTrace? trace)
    {
        var json = new JsonOutput(output);
        Utf8JsonWriter writer = json.Writer;
        writer.WriteStartObject();
        writer.WriteString("file", file.Path);
        writer.WriteNumber("bytes", file.FileBytes);
        if (plan is not null)
        {
            writer.WriteString("architecture", plan.Architecture);
            writer.WriteNumber("vocabulary", plan.VocabularySize);
            writer.WriteNumber("state_bytes", plan.States.Bytes(0));
            writer.WriteNumber("state_budget_bytes", stateBudget);
        }
        WriteMetadata(json, file.Metadata);
        WriteTensors(writer, file);
        if (shown is not null) WritePlan(writer, shown);
        if (damaged is not null) WriteDamaged(writer, damaged);
        if (trace is not null) TraceListing.Write(json, trace);
        writer.WriteEndObject();
        json.End();
    }

    private static void WriteDamaged(Utf8JsonWriter writer, IReadOnlyList<NonFiniteTensor> damaged)
    {
        writer.WriteStartArray("not_finite");
        foreach (NonFiniteTensor tensor in damaged)
        {
            writer.WriteStartObject();
            writer.WriteString("name", tensor.Name);
            writer.WriteNumber("rows", tensor.Rows);
            writer.WriteNumber("first_row", tensor.FirstRow);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteMetadata(JsonOutput json, GgufMetadata metadata)
    {
        json.Writer.WriteStartObject("metadata");
        foreach ((string key, GgufValue value) in metadata.Entries)
        {
            json.Writer.WritePropertyName(key);
            WriteValue(json.Writer, value.Value);
        }
        json.Writer.WriteEndObject();
    }

    /// <summary>Vocabularies and their like are told by their length alone.</summary>
    private static void WriteValue(Utf8JsonWriter writer, object value)
    {
        switch (value)
        {
            case GgufValue nested: WriteValue(writer, nested.Value); break;
            case Array { Length: > LongestArray } array:
                writer.WriteStartObject();
                writer.WriteNumber("count", array.Length);
                writer.WriteEndObject();
                break;
            case Array array:
                writer.WriteStartArray();
                foreach (object item in array) WriteValue(writer, item);
                writer.WriteEndArray();
                break;
            case string text: writer.WriteStringValue(text); break;
            case bool flag: writer.WriteBooleanValue(flag); break;
            case float single when float.IsFinite(single): writer.WriteNumberValue(single); break;
            case double real when double.IsFinite(real): writer.WriteNumberValue(real); break;
            case float or double: writer.WriteNullValue(); break;
            case ulong large: writer.WriteNumberValue(large); break;
            default: writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture)); break;
        }
    }

    private static void WriteTensors(Utf8JsonWriter writer, GgufFile file)
    {
        writer.WriteStartArray("quant_mix");
        foreach (QuantMix part in QuantMix.Of(file))
        {
            writer.WriteStartObject();
            writer.WriteString("type", part.Type);
            writer.WriteNumber("tensors", part.Tensors);
            writer.WriteNumber("values", part.Values);
            writer.WriteNumber("bytes", part.Bytes);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteStartArray("tensors");
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            writer.WriteStartObject();
            writer.WriteString("name", tensor.Name);
            writer.WriteString("type", tensor.Type.Name);
            writer.WriteStartArray("shape");
            foreach (long size in tensor.Dimensions) writer.WriteNumberValue(size);
            writer.WriteEndArray();
            writer.WriteNumber("bytes", tensor.Bytes);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WritePlan(Utf8JsonWriter writer, Plan plan)
    {
        writer.WriteStartArray("plan");
        foreach (Op op in plan.Ops)
        {
            writer.WriteStartObject();
            writer.WriteString("name", op.Name);
            writer.WriteString("kind", op.Kind.ToString());
            if (op.Layer is int layer) writer.WriteNumber("layer", layer);
            writer.WriteNumber("columns", op.Output.Width);
            writer.WriteStartArray("weights");
            foreach (string weight in InfoCommand.WeightNames(plan, op)) writer.WriteStringValue(weight);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
