using System.Text;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class SafetensorsTests
{
    private const string Subject = "model.safetensors";

    private const string Sample = """
        {"__metadata__":{"format":"pt"},
         "b.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[6,30]},
         "a.bias":{"shape":[3],"data_offsets":[0,6],"dtype":"BF16"},
         "ids":{"dtype":"I64","shape":[],"data_offsets":[30,38]},
         "half":{"dtype":"F16","shape":[1,2,1],"data_offsets":[38,42]},
         "none":{"dtype":"U8","shape":[4,0],"data_offsets":[42,42]}}
        """;

    private static readonly Dictionary<string, (string Header, int DataBytes, string Message)> Damages = new()
    {
        ["not an object"] = ("[]", 0, "the header does not begin with '{'"),
        ["leading space"] = (" {}", 0, "the header does not begin with '{'"),
        ["empty header"] = ("", 0, "the header does not begin with '{'"),
        ["cut JSON"] = ("""{"x":{""", 0, "the header is not valid JSON"),
        ["two objects"] = ("{}{}", 0, "the header is not valid JSON"),
        ["comment"] = ("{/**/}", 0, "the header is not valid JSON"),
        ["deep"] = ("""{"x":{"dtype":"F32","shape":[[[[[[[[1]]]]]]]],"data_offsets":[0,4]}}""", 4, "tensor 'x' has a 'shape' with something other than whole numbers"),
        ["lone surrogate"] = ("""{"\ud800":{}}""", 0, "the header has a string that is not valid text"),
        ["entry no object"] = ("""{"x":1}""", 0, "'x' in the header is not an object"),
        ["tensor twice"] = ("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, "'x' appears twice in the header"),
        ["escaped twice"] = ("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0078":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, "'x' appears twice in the header"),
        ["metadata no object"] = ("""{"__metadata__":[]}""", 0, "'__metadata__' in the header is not an object"),
        ["metadata number"] = ("""{"__metadata__":{"a":1}}""", 0, "'__metadata__' key 'a' is not a string"),
        ["metadata twice"] = ("""{"__metadata__":{"a":"1","a":"2"}}""", 0, "'__metadata__' key 'a' appears twice"),
        ["field twice"] = (Tensor("\"dtype\":\"U8\",\"dtype\":\"I8\""), 0, "tensor 'x' has the field 'dtype' twice"),
        ["unknown field"] = (Tensor("\"strides\":[1]"), 0, "tensor 'x' has the field 'strides' twice or for no known reason"),
        ["no dtype"] = (Tensor("\"shape\":[0],\"data_offsets\":[0,0]"), 0, "tensor 'x' has no 'dtype'"),
        ["no shape"] = (Tensor("\"dtype\":\"U8\",\"data_offsets\":[0,0]"), 0, "tensor 'x' has no 'shape'"),
        ["one offset"] = (Tensor("\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0]"), 0, "tensor 'x' has no 'data_offsets'"),
        ["three offsets"] = (Tensor("\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0,0]"), 0, "tensor 'x' has a 'data_offsets' of more than 2 numbers"),
        ["dtype number"] = (Tensor("\"dtype\":1"), 0, "tensor 'x' has a 'dtype' that is not a string"),
        ["shape string"] = (Tensor("\"shape\":\"1\""), 0, "tensor 'x' has a 'shape' that is not an array"),
        ["negative size"] = (Tensor("U8", "-1", 0, 0), 0, "tensor 'x' has a 'shape' with something other than whole numbers"),
        ["fraction"] = (Tensor("U8", "1.5", 0, 0), 0, "tensor 'x' has a 'shape' with something other than whole numbers"),
        ["rank 9"] = (Tensor("U8", "1,1,1,1,1,1,1,1,1", 0, 1), 1, "tensor 'x' has a 'shape' of more than 8 numbers"),
        ["overflow"] = (Tensor("F32", "4294967296,4294967296,0", 0, 0), 0, "tensor 'x' has a shape of more than"),
        ["size"] = (Tensor("F32", "3", 0, 8), 8, "tensor 'x' has 8 bytes; 12 are needed for F32 [3]"),
        ["backwards"] = (Tensor("U8", "1", 1, 0), 1, "tensor 'x' has the data_offsets 1 to 0, but the data has 1 bytes"),
        ["out of range"] = (Tensor("U8", "9", 0, 9), 8, "tensor 'x' has the data_offsets 0 to 9, but the data has 8 bytes"),
        ["hole at the start"] = (Tensor("U8", "4", 4, 8), 8, "tensor 'x' leaves a hole of 4 bytes before it"),
        ["overlap"] = ("""{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}""", 6, "tensor 'y' overlaps the tensor before it by 2 bytes"),
        ["rest"] = (Tensor("U8", "4", 0, 4), 8, "the file has 4 bytes that belong to no tensor"),
        ["element type"] = (Tensor("F4", "4", 0, 4), 4, "tensor 'x' has the element type 'F4', which MambaRT does not know"),
    };

    public static TheoryData<string> Names => [.. Damages.Keys];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_EveryKindOfEntry_ReadsShapesAndBytes(bool copy)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.safetensors"], Build(Sample + "   ", SampleData()));
        using SafetensorsFile file = SafetensorsFile.Open(folder["model.safetensors"], copy);
        file.EnsureReadable();
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(["b.weight", "a.bias", "ids", "half", "none"], file.Tensors.Select(e => e.Name));
        Assert.Equal([[2L, 3], [3], [], [1, 2, 1], [4, 0]], file.Tensors.Select(e => e.Shape));
        Assert.Equal([1f, 2, 3, 4, 5, 6], GgufSamples.Values(file, "b.weight"));
        Assert.Equal([1f, -1, 2], GgufSamples.Values(file, "a.bias"));
        Assert.Equal([0.5f, 0.25f], GgufSamples.Values(file, "half"));
        Assert.True(file.TryGet("half", out TensorView half));
        Assert.Equal((2, 1), (half.Rows, half.Columns));
        Assert.Equal(-7L, BitConverter.ToInt64(file.Bytes("ids")));
        Assert.True(file.Bytes("none").IsEmpty);
        Assert.Equal("I64", file.Find("ids")!.DType);
        Assert.Null(file.Find("other"));
        Assert.False(file.TryGet("other", out _));
    }

    [Fact]
    public void TryGet_NoMatrixOfFloats_SaysSo()
    {
        using SafetensorsFile file = Parse(Build("""{"i":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[3,0],"data_offsets":[4,4]}}""", new byte[4]));
        Assert.Contains("tensor 'i' is stored as I32; F32, F16 or BF16 is needed", Assert.Throws<NotSupportedException>(() => file.TryGet("i", out _)).Message);
        Assert.Contains("tensor 'e' has 0 rows of 0 values", Assert.Throws<FormatException>(() => file.TryGet("e", out _)).Message);
        Assert.Throws<KeyNotFoundException>(() => file.Bytes("none").Length);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Open_Damaged_SaysWhatIsWrong(string name)
    {
        var (header, dataBytes, expected) = Damages[name];
        Exception e = Assert.ThrowsAny<Exception>(() => Parse(Build(header, new byte[dataBytes])));
        Assert.IsType(name == "element type" ? typeof(NotSupportedException) : typeof(FormatException), e);
        Assert.StartsWith($"{Subject}: ", e.Message);
        Assert.Contains(expected, e.Message);
    }

    [Theory]
    [InlineData(100_000_001UL, "the header claims 100000001 bytes; at most 100000000 are allowed")]
    [InlineData(ulong.MaxValue, "the header claims 18446744073709551615 bytes; at most")]
    [InlineData(3UL, "the header claims 3 bytes, but 2 are left")]
    public void Open_WrongHeaderLength_IsRefused(ulong length, string expected)
    {
        byte[] bytes = [.. BitConverter.GetBytes(length), .. "{}"u8];
        Assert.Contains(expected, Assert.Throws<FormatException>(() => Parse(bytes)).Message);
    }

    [Fact]
    public void Open_TruncatedAnywhere_IsRefused()
    {
        byte[] bytes = Build(Sample, SampleData());
        for (int length = 0; length < bytes.Length; length++)
            Assert.Throws<FormatException>(() => Parse(bytes.AsSpan(0, length)));
    }

    [Fact]
    public void Open_InvalidUtf8_IsRefused()
    {
        byte[] bytes = Build("""{"x?":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}""", []);
        bytes[bytes.AsSpan().IndexOf((byte)'?')] = 0xff;
        Assert.Contains("not valid", Assert.Throws<FormatException>(() => Parse(bytes)).Message);
    }

    [Fact]
    public void EnsureReadable_FileTruncatedAfterOpening_Throws()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.safetensors"], Build(Sample, SampleData()));
        using SafetensorsFile file = SafetensorsFile.Open(folder["model.safetensors"]);
        using (var stream = new FileStream(folder["model.safetensors"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) stream.SetLength(20);
        Assert.Contains("rewritten or resized while in use", Assert.Throws<IOException>(file.EnsureReadable).Message);
    }

    [Fact]
    public void Open_MutatedHeader_SucceedsOrRefusesInOneLine()
    {
        byte[] original = Build(Sample, SampleData());
        int header = original.Length - SampleData().Length;
        byte[] bytes = new byte[original.Length];
        byte[] letters = [.. "{}[]\",:0123456789-e.\\uFBI \n"u8, 0, 0xff, 0xc3];
        var random = new Random(7);
        int opened = 0;
        for (int attempt = 0; attempt < 5_000; attempt++)
        {
            original.CopyTo(bytes, 0);
            for (int n = random.Next(1, 4); n > 0; n--)
                bytes[random.Next(8) == 0 ? random.Next(8) : random.Next(header)] = random.Next(4) == 0 ? (byte)random.Next(256) : letters[random.Next(letters.Length)];
            if (Opens(bytes)) opened++;
        }
        Assert.InRange(opened, 50, 4_900);
    }

    private static bool Opens(byte[] bytes)
    {
        NativeBuffer memory = GgufSamples.Native(bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using SafetensorsFile file = SafetensorsFile.Parse(Subject, memory);
            foreach (CheckpointTensor entry in file.Tensors) Assert.Equal(entry.Bytes, file.Bytes(entry.Name).Length);
            return true;
        }
        catch (Exception e) when (e is FormatException or NotSupportedException)
        {
            Assert.StartsWith($"{Subject}: ", e.Message);
            Assert.DoesNotContain(e.Message, char.IsControl);
            return false;
        }
        finally
        {
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    private static string Tensor(string fields) => "{\"x\":{" + fields + "}}";

    private static string Tensor(string type, string shape, int begin, int end) =>
        Tensor($"\"dtype\":\"{type}\",\"shape\":[{shape}],\"data_offsets\":[{begin},{end}]");

    private static byte[] Build(string header, byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((ulong)json.Length), .. json, .. data];
    }

    private static byte[] SampleData() =>
    [
        0x80, 0x3f, 0x80, 0xbf, 0x00, 0x40,
        .. new float[] { 1, 2, 3, 4, 5, 6 }.SelectMany(BitConverter.GetBytes),
        .. BitConverter.GetBytes(-7L),
        .. BitConverter.GetBytes((Half)0.5f), .. BitConverter.GetBytes((Half)0.25f),
    ];

    private static SafetensorsFile Parse(ReadOnlySpan<byte> bytes) => SafetensorsFile.Parse(Subject, GgufSamples.Native(bytes));
}
