using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace MambaRT.Cli;

/// <summary>Makes options whose mistakes are answered in one sentence.</summary>
internal static class OptionOf
{
    private const int LongestList = 1024;

    /// <summary>A whole number; null when not given.</summary>
    public static Option<long?> Whole(string name, string[] aliases, string description, long min, long max, string example) => new(name, aliases)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= min && value <= max) return value;
            result.AddError($"{Typed(result, name)} is '{Show.Text(text, 60)}'; it needs a whole number {Range(min, max, long.MaxValue)}, such as {example}.");
            return null;
        },
    };

    /// <summary>A finite number; null when not given.</summary>
    public static Option<float?> Number(string name, string[] aliases, string description, float min, float max, string example) => new(name, aliases)
    {
        Description = description,
        HelpName = "X",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value) && value >= min && value <= max) return value;
            result.AddError($"{Typed(result, name)} is '{Show.Text(text, 60)}'; it needs a number {Range(min, max, float.MaxValue)}, such as {example}.");
            return null;
        },
    };

    /// <summary>A size in bytes, as a number with K, M, G or T behind it; null when not given.</summary>
    public static Option<long?> Size(string name, string[] aliases, string description, string example) => new(name, aliases)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            int unit = text.Length == 0 ? -1 : "KMGT".IndexOf(char.ToUpperInvariant(text[^1]));
            if (double.TryParse(unit < 0 ? text : text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value))
                return (long)Math.Min(value * Math.Pow(1024, unit + 1), long.MaxValue / 2);
            result.AddError($"{Typed(result, name)} is '{Show.Text(text, 60)}'; it needs a size in bytes, or in K, M, G or T of them, such as {example}.");
            return null;
        },
    };

    /// <summary>One of a few words; null when not given.</summary>
    public static Option<string?> Choice(string name, string[] aliases, string description, IReadOnlyList<string> choices) =>
        Known(name, description, choices, text => choices.FirstOrDefault(choice => string.Equals(choice, text, StringComparison.OrdinalIgnoreCase)), $"choose {string.Join(", ", choices)}", aliases);

    /// <summary>A word that something knows; null when not given.</summary>
    /// <param name="name">The option.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="some">Words that help shows.</param>
    /// <param name="spell">Gives the word in its one spelling; null for one that is not known.</param>
    /// <param name="way">What is said of such a one.</param>
    /// <param name="aliases">Other names of the option.</param>
    public static Option<string?> Known(string name, string description, IReadOnlyList<string> some, Func<string, string?> spell, string way, params string[] aliases) => new(name, aliases)
    {
        Description = description,
        HelpName = string.Join('|', some),
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            string? known = spell(text);
            if (known is null) result.AddError($"{Typed(result, name)} is '{Show.Text(text, 60)}'; {way}.");
            return known;
        },
    };

    /// <summary>Text; null when not given.</summary>
    public static Option<string?> Text(string name, string[] aliases, string valueName, string description) =>
        new(name, aliases) { Description = description, HelpName = valueName };

    /// <summary>Text that may be given several times.</summary>
    public static Option<string[]> Texts(string name, string[] aliases, string valueName, string description) =>
        new(name, aliases) { Description = description, HelpName = valueName, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };

    /// <summary>A switch.</summary>
    public static Option<bool> Flag(string name, string description, params string[] aliases) =>
        new(name, aliases) { Description = description, Arity = ArgumentArity.Zero };

    /// <summary>Whole numbers separated by commas; null when not given.</summary>
    public static Option<int[]?> WholeList(string name, string[] aliases, string description, int min, int max, string example) => new(name, aliases)
    {
        Description = description,
        HelpName = example,
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
            var numbers = new int[parts.Length];
            bool good = parts.Length <= LongestList;
            for (int i = 0; good && i < parts.Length; i++)
                good = int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]) && numbers[i] >= min && numbers[i] <= max;
            if (good) return numbers;
            result.AddError($"{Typed(result, name)} is '{Show.Text(text, 60)}'; it needs whole numbers from {min} to {max} separated by commas, such as {example}.");
            return null;
        },
    };

    /// <summary>Token ids separated by commas or spaces.</summary>
    public static Option<int[]?> TokenIds(string description) => new("--tokens")
    {
        Description = description,
        HelpName = "5,17,42",
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result =>
        {
            try
            {
                return ParseTokenIds(result.Tokens[0].Value);
            }
            catch (UsageException e)
            {
                result.AddError(e.Message);
                return null;
            }
        },
    };

    /// <summary>The numbers given, or null: an absent array option has an empty value.</summary>
    public static int[]? Given(ParseResult arguments, Option<int[]?> option) =>
        arguments.GetResult(option) is null ? null : arguments.GetValue(option);

    /// <summary>Reads ids separated by commas, spaces or line breaks.</summary>
    /// <exception cref="UsageException">Something else stands between them, or there is none.</exception>
    public static int[] ParseTokenIds(string text)
    {
        string[] parts = text.Split([',', ' ', '\t', '\r', '\n', '[', ']'], StringSplitOptions.RemoveEmptyEntries);
        var ids = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out ids[i]))
                throw new UsageException($"'{Show.Text(parts[i], 60)}' is not a token id; ids are whole numbers from 0, such as --tokens 5,17,42.");
        return ids.Length > 0 ? ids : throw new UsageException("There is no token id; give some, such as --tokens 5,17,42.");
    }

    /// <summary>The name as it was typed: an alias or the full one.</summary>
    private static string Typed(ArgumentResult result, string name) =>
        (result.Parent as OptionResult)?.IdentifierToken?.Value ?? name;

    private static string Range<T>(T min, T max, T unbounded) where T : INumber<T> => max >= unbounded
        ? string.Create(CultureInfo.InvariantCulture, $"of {min} or more")
        : string.Create(CultureInfo.InvariantCulture, $"from {min} to {max}");
}
