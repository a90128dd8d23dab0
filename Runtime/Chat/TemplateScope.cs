namespace MambaRT.Chat;

/// <summary>Variables of a block, and the scope around it. A macro keeps the scope it was defined in.</summary>
/// <param name="parent">The scope around, or null.</param>
internal sealed class TemplateScope(TemplateScope? parent)
{
    private Dictionary<string, object?>? _values;

    /// <summary>The scope around, or null.</summary>
    public TemplateScope? Parent => parent;

    /// <summary>Assigns a variable here.</summary>
    public void Set(string name, object? value) => (_values ??= [])[name] = value;

    /// <summary>Finds a variable here.</summary>
    public bool TryGet(string name, out object? value)
    {
        value = null;
        return _values is not null && _values.TryGetValue(name, out value);
    }
}
