using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MambaRT.Formats;

/// <summary>llama.cpp's older form of an importance matrix, imatrix.dat: counted entries of a name, a number of calls and sums over them.</summary>
/// <remarks>
/// i32 entries; each i32 length, name, i32 calls, i32 columns, f32 sums[columns], whose quotients by the calls are mean squares; then, not in the oldest
/// files, i32 chunks, i32 length, path of the text.
/// </remarks>
internal static class LegacyImportance
{
    private const int MaxNameBytes = 1024, MaxPathBytes = 1 << 16;

    internal static ImportanceMatrix Read(string path)
    {
        using FileStream stream = File.OpenRead(path);
        int count = Int32(stream, path);
        // The least entry has 16 bytes; this also refuses a text or an image that was given by mistake.
        if (count < 1 || count > stream.Length / 16) throw Wrong(path, $"begins with {count} as its number of entries");
        var entries = new List<(string Name, float[] Values, int Calls)>();
        for (int i = 0; i < count; i++)
        {
            string name = Text(stream, path, MaxNameBytes);
            int calls = Int32(stream, path), columns = Int32(stream, path);
            if (columns < 1 || columns > (stream.Length - stream.Position) / sizeof(float)) throw Wrong(path, $"states {columns} columns for entry {i + 1}");
            var values = new float[columns];
            stream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
            if (calls > 0) entries.Add((name, Array.ConvertAll(values, value => value / calls), calls));
        }
        (int chunks, string[] datasets) = Trailer(stream, path);
        var matrix = new ImportanceMatrix(path) { Chunks = chunks, Datasets = datasets };
        foreach ((string name, float[] values, int calls) in entries) matrix.Add(name, values, calls);
        return matrix.Count > 0 ? matrix : throw Wrong(path, "holds no entry that was used");
    }

    private static (int Chunks, string[] Datasets) Trailer(FileStream stream, string path)
    {
        if (stream.Position == stream.Length) return (0, []);
        int chunks = Math.Max(0, Int32(stream, path));
        if (stream.Position == stream.Length) return (chunks, []);
        string dataset = Text(stream, path, MaxPathBytes);
        return stream.Position == stream.Length ? (chunks, [dataset]) : throw Wrong(path, $"has {stream.Length - stream.Position} bytes after its end");
    }

    private static string Text(FileStream stream, string path, int limit)
    {
        int length = Int32(stream, path);
        if (length < 0 || length > limit || length > stream.Length - stream.Position) throw Wrong(path, $"states a name of {length} bytes");
        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private static int Int32(FileStream stream, string path)
    {
        Span<byte> bytes = stackalloc byte[4];
        if (stream.ReadAtLeast(bytes, 4, throwOnEndOfStream: false) < 4) throw Wrong(path, "ends in the middle of an entry");
        return BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }

    private static FormatException Wrong(string path, string predicate) =>
        new($"{path}: the file is no importance matrix in GGUF, and as one in llama.cpp's older form it {predicate}; give a file that 'mambart imatrix' or llama-imatrix wrote.");
}
