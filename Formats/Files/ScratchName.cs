using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace MambaRT.Formats;

/// <summary>Names of files that are ours alone: <c>.mambart-</c>, 16 hexadecimal digits, 16 more that are made of these, and an ending.</summary>
/// <remarks>The second half proves that a name was made here, even where a power cut left an empty file: no other program's name passes by chance.</remarks>
internal static class ScratchName
{
    /// <summary>Endings: a file being written, a folder being filled, and who holds a file.</summary>
    public const string File = ".tmp", Folder = ".files.tmp", Lock = ".lock";

    private const string Prefix = ".mambart-";
    private const int Digits = 16;
    private const long Seed = 0x4d616d62615254;   // "MambaRT"

    /// <summary>What all names match.</summary>
    public const string Pattern = Prefix + "*";

    /// <summary>The name of a number.</summary>
    public static string Of(ulong number, string ending) => $"{Prefix}{number:x16}{Proof(number):x16}{ending}";

    /// <summary>Whether a file of this name was made here.</summary>
    public static bool Is(ReadOnlySpan<char> name, string ending) =>
        name.Length == Prefix.Length + 2 * Digits + ending.Length && name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(ending, StringComparison.Ordinal)
        && ulong.TryParse(name.Slice(Prefix.Length, Digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number)
        && name.SequenceEqual(Of(number, ending));

    private static ulong Proof(ulong number) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in number)), Seed);
}
