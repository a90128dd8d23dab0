using System.Globalization;

namespace MambaRT.Formats;

/// <summary>The naming and numbering of models cut into several files, <c>name-00001-of-00003.gguf</c>.</summary>
/// <remarks>Source: llama.cpp, tools/gguf-split.</remarks>
internal static class GgufSplit
{
    internal const string CountKey = "split.count";
    internal const string NumberKey = "split.no";
    internal const string TensorsKey = "split.tensors.count";

    /// <summary>Every key about the split.</summary>
    internal static readonly string[] Keys = [NumberKey, CountKey, TensorsKey];

    /// <summary>How many files the model has; 1 when it is whole.</summary>
    internal static int Parts(GgufMetadata metadata) => Math.Max(1, metadata.TryGetInt32(CountKey, 0, ushort.MaxValue) ?? 1);

    /// <summary>Which of them this one is, from 0.</summary>
    internal static int Number(GgufMetadata metadata, int parts) => metadata.GetInt32(NumberKey, 0, parts - 1);

    /// <summary>The paths of all parts, from the path and metadata of any one.</summary>
    /// <exception cref="FormatException">The file's name is not what its number says.</exception>
    internal static string[] Paths(string path, GgufMetadata metadata)
    {
        int parts = Parts(metadata), number = Number(metadata, parts);
        string suffix = Suffix(number, parts);
        if (!path.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            throw new FormatException($"{path}: this is part {number + 1} of {parts}, but its name does not end in '{suffix}', so the other parts cannot be found; give the parts their original names.");
        string stem = path[..^suffix.Length];
        var paths = new string[parts];
        for (int i = 0; i < parts; i++) paths[i] = i == number ? path : stem + Suffix(i, parts);
        return paths;
    }

    /// <summary>Checks that a file is the part it was opened as.</summary>
    internal static void Check(GgufMetadata metadata, int number, int parts)
    {
        int foundParts = Parts(metadata), found = foundParts == 1 ? 0 : Number(metadata, foundParts);
        if (foundParts != parts || found != number)
            throw new FormatException($"{metadata.Subject}: key '{NumberKey}' or '{CountKey}' says part {found + 1} of {foundParts}; part {number + 1} of {parts} is needed. Put parts of the same model together.");
    }

    private static string Suffix(int number, int parts) =>
        string.Create(CultureInfo.InvariantCulture, $"-{number + 1:00000}-of-{parts:00000}.gguf");
}
