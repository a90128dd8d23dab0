using System.Globalization;
using System.Text.Json;

namespace MambaRT.Cli;

/// <summary>What a trace found, as a table or as JSON.</summary>
internal static class TraceListing
{
    /// <summary>Writes the table, and where the two runs part.</summary>
    public static void Write(Terminal terminal, FinishedTrace finished)
    {
        bool compared = finished.Against is not null;
        OpTrace? first = finished.Trace.FirstParting;
        string tokens = finished.Tokens.Length == 1 ? "1 token" : $"{Show.Count(finished.Tokens.Length)} tokens";
        string[] headers = ["operation", "kind", "rows x width", "norm", "min", "max"];
        Listing.Write(terminal, $"Trace of {tokens} on {finished.Backend}{(compared ? $", against {finished.Against}" : "")}", compared ? [.. headers, "error", "allowed", ""] : headers,
            [.. finished.Trace.Ops.Where(op => op.Rows > 0).Select(op => Row(op, compared, op == first))]);
        if (first is not null)
            terminal.Out.WriteLine($"trace       {finished.Backend} parts from {finished.Against} in {first.Op.Name}: an error of {Short(first.Error ?? 0)}, where {Short(first.Allowed)} is allowed");
        else if (compared && finished.Failure is null)
            terminal.Out.WriteLine($"trace       no operation of {finished.Backend} is further from {finished.Against} than its bound");
        if (finished.Failure is not null) terminal.Note(Failure.Sentence(finished.Failure));
    }

    /// <summary>Writes the same as a member of a JSON object.</summary>
    public static void Write(JsonOutput json, FinishedTrace finished)
    {
        Utf8JsonWriter writer = json.Writer;
        writer.WriteStartObject("trace");
        writer.WriteString("backend", finished.Backend);
        if (finished.Against is not null) writer.WriteString("against", finished.Against);
        writer.WriteStartArray("tokens");
        foreach (int token in finished.Tokens) writer.WriteNumberValue(token);
        writer.WriteEndArray();
        writer.WriteStartArray("operations");
        foreach (OpTrace op in finished.Trace.Ops.Where(op => op.Rows > 0)) WriteOp(json, op);
        writer.WriteEndArray();
        if (finished.Against is not null) writer.WriteString("parts_at", finished.Trace.FirstParting?.Op.Name);
        if (finished.Failure is not null) writer.WriteString("error", Failure.Sentence(finished.Failure));
        writer.WriteEndObject();
    }

    private static void WriteOp(JsonOutput json, OpTrace op)
    {
        json.Writer.WriteStartObject();
        json.Writer.WriteString("name", op.Op.Name);
        json.Writer.WriteString("kind", op.Op.Kind.ToString());
        if (op.Op.Layer is int layer) json.Writer.WriteNumber("layer", layer);
        json.Writer.WriteNumber("rows", op.Rows);
        json.Writer.WriteNumber("columns", op.Op.Output.Width);
        json.Number("norm", op.Norm);
        json.Number("min", op.Min);
        json.Number("max", op.Max);
        if (op.Error is double error)
        {
            json.Number("error", error);
            json.Number("allowed", op.Allowed);
        }
        json.Writer.WriteEndObject();
    }

    private static string[] Row(OpTrace op, bool compared, bool parts)
    {
        string[] row = [op.Op.Name, op.Op.Kind.ToString(), $"{op.Rows} x {op.Op.Output.Width}", Short(op.Norm), Short(op.Min), Short(op.Max)];
        return compared ? [.. row, op.Error is double error ? Short(error) : "", Short(op.Allowed), parts ? "<- parts here" : ""] : row;
    }

    private static string Short(double value) => value.ToString("G5", CultureInfo.InvariantCulture);
}
