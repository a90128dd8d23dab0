using System.CommandLine;
using System.Text.RegularExpressions;
using MambaRT.Runtime;

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

    [GeneratedRegex(@"^blk\.[0-9]+\.", RegexOptions.CultureInvariant)]
    private static partial Regex Layer { get; }
}
