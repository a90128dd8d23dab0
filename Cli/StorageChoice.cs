using System.CommandLine;
using System.Text.RegularExpressions;

namespace MambaRT.Cli;

/// <summary>What the verbs that choose storage types share: who chooses, and what rows did not allow.</summary>
internal static partial class StorageChoice
{
    private const string Llama = "llama";

    /// <summary>The option --policy.</summary>
    public static Option<string?> Policy() =>
        OptionOf.Choice("--policy", [], "Who chooses each tensor's type: our recipe for state-space models, or llama.cpp's rules; ssm when not given.", ["ssm", Llama]);

    /// <summary>The policy that an option's value names.</summary>
    public static QuantPolicy Of(string? value) => value == Llama ? QuantPolicy.Llama : QuantPolicy.Ssm;

    /// <summary>The name of a policy.</summary>
    public static string NameOf(QuantPolicy policy) => policy == QuantPolicy.Llama ? Llama : "ssm";

    /// <summary>One note for the tensors that are alike in all layers.</summary>
    public static void NoteOtherwise(Terminal terminal, IEnumerable<StoredOtherwise> tensors)
    {
        foreach (var alike in tensors.GroupBy(t => (Name: Layer.Replace(t.Tensor, "blk.*."), t.Columns, t.Asked, t.Stored)))
            terminal.Note($"{alike.Key.Name}{(alike.Count() > 1 ? $" ({alike.Count()} tensors)" : "")}: rows of {alike.Key.Columns} values are not whole blocks of {alike.Key.Asked}; stored as {alike.Key.Stored}.");
    }

    /// <summary>One note of what an importance matrix lacks, with tensors that are alike in all layers together.</summary>
    public static void NoteWithout(Terminal terminal, string importance, IReadOnlyList<string> tensors)
    {
        if (tensors.Count == 0) return;
        terminal.Note($"{importance} says nothing of {string.Join(", ", Kinds(tensors))}; all columns count the same there.");
    }

    /// <summary>One note of what an importance matrix has that the model lacks.</summary>
    public static void NoteUnused(Terminal terminal, string importance, IReadOnlyList<string> tensors)
    {
        const int Named = 8;   // the names are the file's, and so is their number
        if (tensors.Count == 0) return;
        string[] kinds = [.. Kinds(tensors)];
        string rest = kinds.Length > Named ? $" and {Show.Count(kinds.Length - Named)} more" : "";
        terminal.Note($"{importance} has entries for {string.Join(", ", kinds.Take(Named))}{rest}, which the model lacks; they are not used. Is it the importance matrix of this model?");
    }

    private static IEnumerable<string> Kinds(IReadOnlyList<string> tensors) => tensors.GroupBy(t => Layer.Replace(t, "blk.*.")).Select(alike =>
        $"{Show.Text(alike.Key)}{(alike.Count() > 1 ? $" ({alike.Count()} tensors)" : alike.First() == alike.Key ? "" : $" ({Show.Text(alike.First())})")}");

    [GeneratedRegex(@"^blk\.[0-9]+\.", RegexOptions.CultureInvariant)]
    private static partial Regex Layer { get; }
}
