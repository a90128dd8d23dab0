using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>What llama.cpp and an exact forward pass say about a micro model.</summary>
internal sealed record MicroAnswers(int[] Tokens, int[][] TopIds, float[][] TopLogits, float[] Last, int[] Greedy, int[][] ExactIds, float[][] ExactLogits);

/// <summary>The micro models under Data/micro; its README tells how they are stored.</summary>
internal static class MicroModels
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Data", "micro");

    private static readonly Lazy<Dictionary<string, MicroAnswers>> Answered = new(ReadAnswers);

    /// <summary>Models of which llama.cpp's answers are known.</summary>
    public static IEnumerable<string> Names => Answered.Value.Keys;

    /// <summary>What the model must answer.</summary>
    public static MicroAnswers Answers(string name) => Answered.Value[name];

    /// <summary>Opens the model from a file that is gone afterwards.</summary>
    public static Model Open(string name, IBackend backend)
    {
        using var folder = new TemporaryFolder();
        return Model.Open(Write(name, folder), backend, new ModelOptions { CopyToMemory = true });
    }

    /// <summary>Writes the model into a folder and opens it there.</summary>
    public static GgufFile OpenFile(string name, TemporaryFolder folder) => GgufFile.Open(Write(name, folder));

    private static string Write(string name, TemporaryFolder folder)
    {
        string path = folder[name + ".gguf"];
        if (Reencoded(name) is QuantType type) Reencode(type, Bytes("micro-mamba-f32"), folder["f32.gguf"], path);
        else File.WriteAllBytes(path, Bytes(name));
        return path;
    }

    /// <summary>The type that the model's matrices were re-encoded in from float32, or null where the file itself is stored.</summary>
    public static QuantType? Reencoded(string name) =>
        name is "micro-mamba-f16" or "micro-mamba-bf16" or "micro-mamba-q8_0" ? QuantTypes.ByName(name.Split('-')[^1]) : null;

    /// <summary>A stored file, put together from its pieces.</summary>
    private static byte[] Bytes(string name)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Folder, "index.txt"));
        string[][] chunks = [.. lines.Where(l => l.StartsWith("chunk ", StringComparison.Ordinal)).Select(l => l.Split(' '))];
        string[] model = lines.Select(l => l.Split(' ')).Single(l => l[0] == "model" && l[1] == name);
        byte[] packed = File.ReadAllBytes(Path.Combine(Folder, "chunks.bin"));
        using var file = new MemoryStream();
        foreach (string piece in model[3..])
        {
            if (piece.StartsWith("0x", StringComparison.Ordinal)) file.Write(new byte[Number(piece[2..])]);
            else file.Write(Unpack(packed, chunks[Number(piece)]));
        }
        return file.Length == Number(model[2]) ? file.ToArray() : throw new FormatException($"{name}: {file.Length} bytes were put together; {model[2]} are needed.");
    }

    private static byte[] Unpack(byte[] packed, string[] chunk)
    {
        var data = new MemoryStream(packed, Number(chunk[1]), Number(chunk[2]));
        byte[] plain = new byte[Number(chunk[3])];
        if (chunk[4] == "r")
        {
            data.ReadExactly(plain);
            return plain;
        }
        using (var zlib = new ZLibStream(data, CompressionMode.Decompress)) zlib.ReadExactly(plain);
        int width = chunk[4] == "z" ? 1 : Number(chunk[4][1..]);
        byte[] woven = new byte[plain.Length];
        int count = plain.Length / width;
        for (int i = 0; i < plain.Length; i++) woven[i % count * width + i / count] = plain[i];
        return woven;
    }

    private static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    /// <summary>Writes the float32 model again with its embedding and projections in another type.</summary>
    private static void Reencode(QuantType type, byte[] source, string sourcePath, string path)
    {
        File.WriteAllBytes(sourcePath, source);
        using GgufFile file = GgufFile.Open(sourcePath, new GgufOpenOptions { CopyToMemory = true });
        var writer = new GgufWriter(file.Metadata);
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            string role = tensor.Name.Split('.') is [.., string last, "weight"] ? last : tensor.Name;
            QuantType target = role is "token_embd" or "ssm_in" or "ssm_x" or "ssm_dt" or "ssm_out" && tensor.Rows > 1 ? type : tensor.Type;
            if (!file.TryGet(tensor.Name, out TensorView view)) throw new InvalidOperationException(tensor.Name);
            writer.AddTensor(tensor.Name, target, [.. tensor.Dimensions], stream =>
            {
                float[] values = new float[view.Columns];
                byte[] row = new byte[target.RowBytes(view.Columns)];
                for (int r = 0; r < view.Rows; r++)
                {
                    view.DecodeRow(r, values);
                    target.EncodeRow(values, [], row);
                    stream.Write(row);
                }
            });
        }
        writer.Write(path);
    }

    private static Dictionary<string, MicroAnswers> ReadAnswers()
    {
        using var zip = new GZipStream(File.OpenRead(Path.Combine(Folder, "answers.json.gz")), CompressionMode.Decompress);
        using JsonDocument json = JsonDocument.Parse(zip);
        return json.RootElement.EnumerateObject().ToDictionary(m => m.Name, m => new MicroAnswers(
            Ints(m.Value.GetProperty("tokens")), Rows(m.Value.GetProperty("top_ids"), Ints), Rows(m.Value.GetProperty("top_logits"), Floats),
            Floats(m.Value.GetProperty("last")), Ints(m.Value.GetProperty("greedy")),
            Rows(m.Value.GetProperty("exact_ids"), Ints), Rows(m.Value.GetProperty("exact_logits"), Floats)));
    }

    private static T[] Rows<T>(JsonElement array, Func<JsonElement, T> row) => [.. array.EnumerateArray().Select(row)];

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    private static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetSingle())];
}
