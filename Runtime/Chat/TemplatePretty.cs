namespace MambaRT.Chat;

/// <summary>Writes values as Python's pprint does: on one line where they fit 80 columns, else an item a line; keys in order. Long texts are not cut.</summary>
/// <remarks>Source: Python, pprint.py.</remarks>
internal sealed class TemplatePretty
{
    private const int Width = 80;

    private readonly TemplateWriter _output = new();
    private readonly TemplateRun _run;
    private readonly int _line;

    private TemplatePretty(TemplateRun run, int line) => (_run, _line) = (run, line);

    /// <summary>Writes a value.</summary>
    public static string Write(object? value, TemplateRun run, int line)
    {
        var pretty = new TemplatePretty(run, line);
        pretty.Write(pretty.Ordered(value), 0, 0);
        return pretty._output.ToText(run, line);
    }

    /// <param name="value">What to write.</param>
    /// <param name="indent">The column that its items begin behind.</param>
    /// <param name="allowance">Columns needed behind it.</param>
    private void Write(object? value, int indent, int allowance)
    {
        _run.Enter(_line);
        string flat = TemplateValues.Repr(value, _run, _line);
        bool isList = value is List<object?> { Count: > 0 };
        if (flat.Length <= Width - indent - allowance || !(isList || value is OrderedDictionary<string, object?> { Count: > 0 })) Append(flat);
        else if (value is OrderedDictionary<string, object?> map)
        {
            Append("{");
            for (int i = 0; i < map.Count; i++)
            {
                (string key, object? item) = map.GetAt(i);
                string name = TemplateValues.Repr(key, _run, _line);
                if (i > 0) Break(indent + 1);
                Append(name);
                Append(": ");
                Write(item, indent + name.Length + 3, i == map.Count - 1 ? allowance + 1 : 1);
            }
            Append("}");
        }
        else
        {
            var list = (List<object?>)value!;   // seen above
            bool round = list is TemplateTuple;
            string end = round ? list.Count == 1 ? ",)" : ")" : "]";
            Append(round ? "(" : "[");
            for (int i = 0; i < list.Count; i++)
            {
                if (i > 0) Break(indent + 1);
                Write(list[i], indent + 1, i == list.Count - 1 ? allowance + end.Length : 1);
            }
            Append(end);
        }
        _run.Leave();
    }

    /// <summary>A mapping in the order of its keys, in it and in all below.</summary>
    private object? Ordered(object? value)
    {
        _run.Enter(_line);
        if (value is OrderedDictionary<string, object?> map)
        {
            _run.Charge(2L * map.Count, _line);
            var ordered = new OrderedDictionary<string, object?>();
            foreach (object? key in TemplateListFilters.Sorted([.. map.Keys], _run, _line)) ordered.Add((string)key!, Ordered(map[(string)key!]));   // keys are texts
            value = ordered;
        }
        else if (value is List<object?> list)
        {
            _run.Charge(list.Count, _line);
            IEnumerable<object?> items = list.ConvertAll(Ordered);
            value = list is TemplateTuple ? new TemplateTuple(items) : items.ToList();
        }
        _run.Leave();
        return value;
    }

    private void Break(int indent)
    {
        Append(",\n");
        _output.Append(' ', indent, _run, _line);
    }

    private void Append(string text) => _output.Append(text, _run, _line);
}
