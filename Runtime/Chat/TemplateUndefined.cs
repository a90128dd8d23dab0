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
internal class TemplateTuple(IEnumerable<object?> items) : List<object?>(items);

/// <summary>A group of "groupby": a tuple whose parts have names too.</summary>
/// <param name="key">What the items have in common.</param>
/// <param name="items">The items.</param>
internal sealed class TemplateGroup(object? key, List<object?> items) : TemplateTuple([key, items])
{
    /// <summary>Returns a part by its name.</summary>
    public object? Get(string name) => name switch
    {
        "grouper" => key,
        "list" => items,
        _ => new TemplateUndefined(name),
    };
}
