namespace MambaRT.Chat;

/// <summary>The arguments of a call or filter as they are written.</summary>
/// <param name="Positional">Arguments by position.</param>
/// <param name="Named">Arguments by name.</param>
internal sealed record TemplateArguments(List<TemplateExpression> Positional, List<(string Name, TemplateExpression Value)> Named)
{
    /// <summary>No arguments.</summary>
    public static TemplateArguments None { get; } = new([], []);

    /// <summary>Computes the arguments.</summary>
    public Values Evaluate(TemplateRun run)
    {
        var positional = new List<object?>(Positional.Count);
        foreach (var argument in Positional) positional.Add(argument.Evaluate(run));
        var named = new List<(string, object?)>(Named.Count);
        foreach (var (name, value) in Named) named.Add((name, value.Evaluate(run)));
        return new Values(positional, named);
    }

    /// <summary>The arguments' values.</summary>
    /// <param name="Positional">Values by position.</param>
    /// <param name="Named">Values by name.</param>
    internal readonly record struct Values(List<object?> Positional, List<(string Name, object? Value)> Named)
    {
        /// <summary>Returns an argument that may be given by position or by name.</summary>
        public object? At(int index, string name, object? missing)
        {
            if (index < Positional.Count) return Positional[index];
            foreach (var (key, value) in Named)
            {
                if (key == name) return value;
            }

            return missing;
        }

        /// <summary>Returns an argument that must be a string.</summary>
        public string? StringAt(int index, string name, string? missing, int line)
        {
            var value = At(index, name, missing);
            if (value is null or string) return (string?)value;
            throw TemplateToken.Error(line, $"the argument '{name}' must be a string; found {TemplateValues.TypeName(value)}.");
        }
    }
}
