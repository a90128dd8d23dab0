namespace MambaRT.Chat;

/// <summary>A name that has no value: false, empty as text and as a list, an error as a number or when looked into.</summary>
/// <param name="Name">The name, for errors.</param>
internal sealed record TemplateUndefined(string Name);

/// <summary>The value of <c>namespace()</c>: attributes that assignments in inner scopes can reach.</summary>
internal sealed class TemplateNamespace
{
    /// <summary>The attributes.</summary>
    public Dictionary<string, object?> Attributes { get; } = [];
}

/// <summary>A list that Python has as a tuple: it is written with round brackets and equals no list.</summary>
/// <param name="items">The items.</param>
internal sealed class TemplateTuple(IEnumerable<object?> items) : List<object?>(items);

/// <summary>The value of <c>loop</c> inside a for statement.</summary>
/// <param name="items">All the items of the loop.</param>
internal sealed class TemplateLoop(IReadOnlyList<object?> items)
{
    /// <summary>The position of the present item, from 0.</summary>
    public int Index { get; set; }

    /// <summary>Returns an attribute of the loop.</summary>
    public object? Get(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)items.Count - Index,
        "revindex0" => items.Count - 1L - Index,
        "first" => Index == 0,
        "last" => Index == items.Count - 1,
        "length" => (long)items.Count,
        "depth" => 1L,
        "depth0" => 0L,
        "previtem" when Index > 0 => items[Index - 1],
        "nextitem" when Index + 1 < items.Count => items[Index + 1],
        _ => new TemplateUndefined("loop." + name),
    };
}
