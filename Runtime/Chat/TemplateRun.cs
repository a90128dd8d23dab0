using System.Text;

namespace MambaRT.Runtime;

/// <summary>
/// The state of one rendering: variables, output, and the budgets that keep a hostile template from running, nesting or growing without end.
/// One thread.
/// </summary>
internal sealed class TemplateRun
{
    /// <summary>The deepest nesting of statements, expressions and values.</summary>
    public const int MaxDepth = 256;

    /// <summary>The most characters a rendering may give.</summary>
    public const int MaxOutput = 16 << 20;

    /// <summary>The most steps; a step is one node evaluated, one value made or 64 characters copied.</summary>
    public const int MaxSteps = 1_000_000;

    private const int CharsPerStep = 64;

    private readonly List<Dictionary<string, object?>> _scopes = [[]];
    private long _steps;
    private int _depth;

    /// <summary>Where text goes; a block assignment swaps it.</summary>
    public StringBuilder Output { get; set; } = new();

    /// <summary>Counts a level of nesting and a step.</summary>
    public void Enter(int line)
    {
        Charge(1, line);
        if (++_depth > MaxDepth) throw TemplateToken.Error(line, $"it nests deeper than {MaxDepth} levels.");
    }

    /// <summary>Leaves a level of nesting.</summary>
    public void Leave() => _depth--;

    /// <summary>Counts steps before they are taken.</summary>
    public void Charge(long steps, int line)
    {
        _steps += steps;
        if (_steps > MaxSteps)
            throw TemplateToken.Error(line, $"it needs more than {MaxSteps} steps; shorten the conversation or use another template.");
    }

    /// <summary>Counts a string before it is made.</summary>
    public void ChargeText(long length, int line)
    {
        if (length > MaxOutput) throw TooLong(line);
        Charge(length / CharsPerStep, line);
    }

    /// <summary>Appends text to the output.</summary>
    public void Write(string text, int line)
    {
        if (Output.Length + (long)text.Length > MaxOutput) throw TooLong(line);
        Charge(text.Length / CharsPerStep, line);
        Output.Append(text);
    }

    /// <summary>Opens a scope; assignments in it end with it.</summary>
    public void Push() => _scopes.Add([]);

    /// <summary>Closes the innermost scope.</summary>
    public void Pop() => _scopes.RemoveAt(_scopes.Count - 1);

    /// <summary>Assigns a variable in the innermost scope.</summary>
    public void Set(string name, object? value) => _scopes[^1][name] = value;

    /// <summary>Finds a variable, innermost scope first.</summary>
    public object? Get(string name)
    {
        for (var i = _scopes.Count - 1; i >= 0; i--)
        {
            if (_scopes[i].TryGetValue(name, out var value)) return value;
        }

        return new TemplateUndefined(name);
    }

    private static FormatException TooLong(int line) =>
        TemplateToken.Error(line, $"it makes a text of more than {MaxOutput} characters.");
}
