using System.Globalization;
using System.IO.Compression;
using System.Text;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Vocabularies and test vectors under Data/vocab.</summary>
internal static class VocabularyFile
{
    public static GgufMetadata Load(string name)
    {
        using var zip = new GZipStream(File.OpenRead(PathOf(name + ".gguf.gz")), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        zip.CopyTo(plain);
        plain.Position = 8;
        using var reader = new BinaryReader(plain);
        reader.ReadUInt64();
        ulong count = reader.ReadUInt64();
        var metadata = new GgufMetadata(name);
        for (ulong i = 0; i < count; i++)
        {
            string key = ReadString(reader);
            metadata.Set(key, ReadValue(reader, (GgufValueType)reader.ReadUInt32()));
        }
        return metadata;
    }

    /// <summary>Texts with the tokens that llama.cpp gives.</summary>
    public static IEnumerable<(string Text, int[] Tokens)> Vectors(string name)
    {
        string[] texts = File.ReadAllText(PathOf(name + ".inp")).Split("\n__ggml_vocab_test__\n");
        string[] lines = File.ReadAllLines(PathOf(name + ".out"));
        Assert.Equal(lines.Length, texts.Length - 1);
        return lines.Select((line, i) => (texts[i], line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(id => int.Parse(id, CultureInfo.InvariantCulture)).ToArray()));
    }

    public static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "Data", "vocab", file);

    private static string ReadString(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes(checked((int)reader.ReadUInt64())));

    private static object ReadValue(BinaryReader reader, GgufValueType type)
    {
        if (type != GgufValueType.Array) return ReadScalar(reader, type);
        var element = (GgufValueType)reader.ReadUInt32();
        object[] values = [.. Enumerable.Range(0, checked((int)reader.ReadUInt64())).Select(_ => ReadScalar(reader, element))];
        return element switch
        {
            GgufValueType.String => values.Cast<string>().ToArray(),
            GgufValueType.Float32 => values.Cast<float>().ToArray(),
            GgufValueType.Int32 => values.Cast<int>().ToArray(),
            _ => throw new FormatException(element.ToString()),
        };
    }

    private static object ReadScalar(BinaryReader reader, GgufValueType type) => type switch
    {
        GgufValueType.UInt32 => reader.ReadUInt32(),
        GgufValueType.Int32 => reader.ReadInt32(),
        GgufValueType.Float32 => reader.ReadSingle(),
        GgufValueType.Bool => reader.ReadBoolean(),
        GgufValueType.String => ReadString(reader),
        _ => throw new FormatException(type.ToString()),
    };
}
