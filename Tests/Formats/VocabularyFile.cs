using System.Globalization;
using System.IO.Compression;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Vocabularies and test vectors under Data/vocab.</summary>
internal static class VocabularyFile
{
    public static GgufMetadata Load(string name)
    {
        string path = Path.Combine(Path.GetTempPath(), $"mambart-{Guid.NewGuid():N}.gguf");
        try
        {
            using (var zip = new GZipStream(File.OpenRead(PathOf(name + ".gguf.gz")), CompressionMode.Decompress))
            using (FileStream plain = File.Create(path))
            {
                zip.CopyTo(plain);
            }
            using GgufFile file = GgufFile.Open(path);
            return file.Metadata;
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Texts with the tokens that llama.cpp gives.</summary>
    public static IEnumerable<(string Text, int[] Tokens)> Vectors(string name)
    {
        string[] texts = File.ReadAllText(PathOf(name + ".inp")).Split("\n__ggml_vocab_test__\n");
        string[] lines = File.ReadAllLines(PathOf(name + ".out"));
        Assert.Equal((46, 47), (lines.Length, texts.Length));   // the text after the last separator is empty
        return lines.Select((line, i) => (texts[i], line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(id => int.Parse(id, CultureInfo.InvariantCulture)).ToArray()));
    }

    public static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "Data", "vocab", file);
}
