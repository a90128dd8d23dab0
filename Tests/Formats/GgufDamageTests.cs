using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>One damaged file each: the message names the file, the key or tensor, what was found and what is needed.</summary>
public sealed class GgufDamageTests
{
    private const string Tokens = "tokenizer.ggml.tokens";
    private static readonly byte[] BadUtf8 = [(byte)'a', 0xff];

    private static readonly Dictionary<string, (Func<RawGguf> File, string Message)> Damages = new()
    {
        ["magic"] = (() => new RawGguf { Magic = 0x4b504b50 }, "not a GGUF file: it begins with the bytes 50 4b 50 4b"),
        ["lfs"] = (() => new RawGguf { Magic = 0x73726576 }, "Git LFS pointer"),
        ["version 1"] = (() => new RawGguf { Version = 1 }, "GGUF version 1; version 2 or 3 is needed"),
        ["version 4"] = (() => new RawGguf { Version = 4 }, "GGUF version 4; version 2 or 3 is needed"),
        ["version 0"] = (() => new RawGguf { Version = 0 }, "GGUF version 0; version 2 or 3 is needed"),
        ["big-endian"] = (() => new RawGguf { Version = 3u << 24 }, "this GGUF file is big-endian; little-endian is needed"),
        ["tensor count"] = (() => new RawGguf { TensorCount = ulong.MaxValue }, "the header claims 18446744073709551615 tensors, but"),
        ["key count"] = (() => new RawGguf { KeyCount = 1UL << 62 }, "the header claims 4611686018427387904 keys, but"),
        ["plausible key count"] = (() => new RawGguf { KeyCount = 3, DataBytes = 100 }, "key number 0 has no name"),

        ["empty key"] = (() => Key("", GgufValueType.UInt8, 1), "key number 0 has no name"),
        ["long key"] = (() => Key(new string('k', 65536), GgufValueType.UInt8, 1), "key number 0 has a string of 65536 bytes; at most 65535 are allowed"),
        ["key not UTF-8"] = (() => new RawGguf().Key(BadUtf8, 0, 1), "key number 0 has a string that is not valid UTF-8"),
        ["key twice"] = (() => Key("a.b", GgufValueType.UInt8, 1).Key("a.b", GgufValueType.Int8, 1), "key 'a.b' appears twice"),
        ["value type"] = (() => new RawGguf().Key("a.b"u8.ToArray(), 13, 1), "key 'a.b' has the unknown value type 13"),
        ["bool"] = (() => Key("a.b", GgufValueType.Bool, 2), "key 'a.b' holds the bool 2; 0 or 1 is needed"),
        ["string not UTF-8"] = (() => Key("a.b", GgufValueType.String, RawGguf.Text(BadUtf8)), "key 'a.b' has a string that is not valid UTF-8"),
        ["string length"] = (() => Key("a.b", GgufValueType.String, RawGguf.U64(1UL << 63)), "key 'a.b' has a string of 9223372036854775808 bytes, but"),
        ["array type"] = (() => Key("a.b", GgufValueType.Array, [.. RawGguf.U32(99), .. RawGguf.U64(0)]), "key 'a.b' has the unknown value type 99"),
        ["array count"] = (() => Array("a.b", GgufValueType.UInt32, 1 << 20), "key 'a.b' claims 1048576 elements of type UInt32, but"),
        ["array of strings count"] = (() => Array(Tokens, GgufValueType.String, ulong.MaxValue), $"key '{Tokens}' claims 18446744073709551615 elements of type String, but"),
        ["array of arrays count"] = (() => Array("a.b", GgufValueType.Array, 1000), "key 'a.b' claims 1000 elements of type Array, but"),
        ["token not UTF-8"] = (() => Array(Tokens, GgufValueType.String, 2, [.. RawGguf.Text("ok"), .. RawGguf.Text(BadUtf8)]), $"key '{Tokens}' has a string that is not valid UTF-8 in element 1"),
        ["token length"] = (() => Array(Tokens, GgufValueType.String, 1, RawGguf.U64(1UL << 40)), $"key '{Tokens}' has a string of 1099511627776 bytes in element 0, but"),
        ["array depth"] = (() => Key("a.b", GgufValueType.Array, [.. Enumerable.Repeat<byte[]>([.. RawGguf.U32(9), .. RawGguf.U64(1)], 5).SelectMany(b => b)]), "key 'a.b' nests arrays more than 4 deep"),
        ["alignment 48"] = (() => Key("general.alignment", GgufValueType.UInt32, RawGguf.U32(48)), "key 'general.alignment' is 48; a power of two is needed"),
        ["alignment 0"] = (() => Key("general.alignment", GgufValueType.UInt32, RawGguf.U32(0)), "key 'general.alignment' is 0; it must be between 1 and"),
        ["alignment type"] = (() => Key("general.alignment", GgufValueType.String, RawGguf.Text("32")), "key 'general.alignment' is a String; an integer is needed"),
        ["split count"] = (() => Key("split.count", GgufValueType.UInt32, RawGguf.U32(70000)), "key 'split.count' is 70000; it must be between 0 and 65535"),

        ["tensor without name"] = (() => Tensor("", 0, 0, 4), "tensor number 0 has no name"),
        ["tensor name length"] = (() => Tensor(new string('n', 1025), 0, 0, 4), "tensor number 0 has a string of 1025 bytes; at most 1024 are allowed"),
        ["tensor name not UTF-8"] = (() => new RawGguf().Tensor(BadUtf8, 0, 0, 1, 4), "tensor number 0 has a string that is not valid UTF-8"),
        ["tensor twice"] = (() => Tensor("x", 0, 0, 4).Tensor("x", 0, 32, 4), "tensor 'x' appears twice"),
        ["no dimensions"] = (() => Tensor("x", 0, 0), "tensor 'x' has 0 dimensions; 1 to 4 are needed"),
        ["five dimensions"] = (() => Tensor("x", 0, 0, 1, 1, 1, 1, 1), "tensor 'x' has 5 dimensions; 1 to 4 are needed"),
        ["absurd dimensions"] = (() => new RawGguf().Tensor("x"u8.ToArray(), 0, 0, uint.MaxValue, 4), "tensor 'x' has 4294967295 dimensions; 1 to 4 are needed"),
        ["zero dimension"] = (() => Tensor("x", 0, 0, 4, 0), "tensor 'x' has a dimension of 0; 1 to"),
        ["negative dimension"] = (() => Tensor("x", 0, 0, 4, ulong.MaxValue), "tensor 'x' has a dimension of 18446744073709551615; 1 to"),
        ["overflowing dimensions"] = (() => Tensor("x", 0, 0, 1, 1 << 30, 1 << 30, 1 << 30), "tensor 'x' has more than 2147483647 rows"),
        ["huge row"] = (() => Tensor("x", 0, 0, 1 << 30), "tensor 'x' has rows of 4294967296 bytes; at most 2147483647 are supported"),
        ["unknown type"] = (() => Tensor("x", 999, 0, 4), "tensor 'x' has the unknown type number 999; MambaRT reads F32, F16,"),
        ["negative type"] = (() => Tensor("x", uint.MaxValue, 0, 4), "tensor 'x' has the unknown type number 4294967295"),
        ["known type"] = (() => Tensor("x", 26, 0, 4), "tensor 'x' is stored as I32, which MambaRT does not read; it reads F32, F16,"),
        ["misaligned"] = (() => Tensor("x", 0, 4, 4), "tensor 'x' has the offset 4, which is not a multiple of the alignment 32"),
        ["out of range"] = (() => Tensor("x", 0, 32, 16), "tensor 'x' needs 64 bytes at offset 96, but the file has 128 bytes"),
        ["far out of range"] = (() => Tensor("x", 0, 1UL << 63, 4), "tensor 'x' has the offset 9223372036854775808, but the file has 128 bytes"),
        ["overlap"] = (() => Tensor("x", 0, 32, 4).Tensor("y", 0, 0, 12), "tensor 'x' overlaps tensor 'y'"),
        ["same place"] = (() => Tensor("x", 0, 0, 4).Tensor("y", 0, 0, 4), "overlaps tensor '"),
        ["name with line breaks"] = (() => Tensor("x\r\n\u2028y", 0, 4, 4), "tensor 'x\\r\\n\\u2028y' has the offset 4"),
    };

    public static TheoryData<string> Names => [.. Damages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Open_Damaged_SaysWhatIsWrong(string name)
    {
        (Func<RawGguf> file, string expected) = Damages[name];
        Exception e = Assert.ThrowsAny<Exception>(() => GgufSamples.Parse(file().Build()));
        Assert.IsType(name == "known type" ? typeof(NotSupportedException) : typeof(FormatException), e);
        Assert.StartsWith("model.gguf: ", e.Message);
        Assert.Contains(expected, e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void Open_LongestNamesAndDeepestArray_AreRead()
    {
        byte[] deep = [.. Enumerable.Repeat<byte[]>([.. RawGguf.U32(9), .. RawGguf.U64(1)], 3).SelectMany(b => b), .. RawGguf.U32(0), .. RawGguf.U64(1), 7];
        using GgufFile file = GgufSamples.Parse(Key(new string('k', 65535), GgufValueType.Array, deep).Tensor(new string('n', 1024), 0, 0, 4).Build());
        Assert.True(file.TryGet(new string('n', 1024), out _));
        Assert.True(file.Metadata.Contains(new string('k', 65535)));
    }

    [Fact]
    public void Open_TruncatedAnywhere_IsRefused()
    {
        byte[] bytes = GgufSamples.Bytes(GgufSamples.Writer(GgufSamples.AllTypes()));
        using (GgufFile whole = GgufSamples.Parse(bytes))
        {
            GgufTensorInfo last = whole.Tensors[^1];
            bytes = bytes[..(int)(last.Offset + last.Bytes)];   // the padding after it is not needed
        }
        GgufSamples.Parse(bytes).Dispose();
        for (int length = 0; length < bytes.Length; length++)
        {
            var e = Assert.Throws<FormatException>(() => GgufSamples.Parse(bytes.AsSpan(0, length)));
            Assert.StartsWith("model.gguf: ", e.Message);
            Assert.Contains("download or convert it again", e.Message);
        }
    }

    private static RawGguf Key(string name, GgufValueType type, params byte[] payload) => new RawGguf().Key(name, type, payload);

    private static RawGguf Array(string name, GgufValueType type, ulong count, params byte[] payload) =>
        Key(name, GgufValueType.Array, [.. RawGguf.U32((uint)type), .. RawGguf.U64(count), .. payload]);

    private static RawGguf Tensor(string name, uint type, ulong offset, params ulong[] dimensions) => new RawGguf().Tensor(name, type, offset, dimensions);
}
