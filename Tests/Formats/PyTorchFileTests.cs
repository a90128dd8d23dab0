using System.Buffers.Binary;
using System.Text;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>PyTorch's container: views are read as PyTorch means them, and nothing but tensors is read.</summary>
public class PyTorchFileTests
{
    private static readonly Dictionary<string, (string Message, Func<TorchArchive> Make)> Damages = new()
    {
        ["code"] = ("asks for 'posix.system'", () => new TorchArchive().Write("cposix\nsystem\n(").Text("echo").Write("tR.")),
        ["code by the stack"] = ("asks for 'builtins.eval'", () => new TorchArchive().Text("builtins").Text("eval").Write("\u0093.")),
        ["another function of torch"] = ("asks for 'torch.load'", () => new TorchArchive().Write("ctorch\nload\n.")),
        ["an object of a class"] = ("opcode 0x81", () => new TorchArchive().Write("ccollections\nOrderedDict\n)\u0081.")),
        ["an instance"] = ("opcode 0x69", () => new TorchArchive().Write("(icollections\nOrderedDict\n.")),
        ["a copy of the top"] = ("opcode 0x32", () => new TorchArchive().Write("}2.")),
        ["an extension"] = ("opcode 0x82", () => new TorchArchive().Write("\u0082\u0001.")),
        ["protocol 0"] = ("protocol", () => new TorchArchive().Write("\u0080\u0000}.")),
        ["wrong arguments"] = ("other arguments", () => new TorchArchive().Write("ctorch._utils\n_rebuild_tensor_v2\n)R.")),
        ["arguments of other kinds"] = ("other arguments", () => new TorchArchive().Write("ctorch._utils\n_rebuild_tensor_v2\n(K\u0001K\u0001))\u0089}tR.")),
        ["calls a class of storages"] = ("other arguments", () => new TorchArchive().Write("ctorch\nFloatStorage\n)R.")),
        ["calls a number"] = ("no function", () => new TorchArchive().Write("K\u0001)R.")),
        ["a storage of no class"] = ("named in a way", () => new TorchArchive().Write("K\u0001Q.")),
        ["nothing to pop"] = ("did not make", () => new TorchArchive().Write("}s.")),
        ["a group never begun"] = ("did not begin", () => new TorchArchive().Write("}t.")),
        ["a group as a value"] = ("did not make", () => new TorchArchive().Write("}(}(s.")),
        ["half a pair"] = ("pairs", () => new TorchArchive().Write("}(K\u0001u.")),
        ["an item for a dictionary"] = ("items", () => new TorchArchive().Write("}K\u0001a.")),
        ["a memo never kept"] = ("recalls object 7", () => new TorchArchive().Write("h\u0007.")),
        ["a huge text"] = ("4294967295 more", () => new TorchArchive().Write("X\u00ff\u00ff\u00ff\u00ff")),
        ["a huge integer"] = ("255 bytes", () => new TorchArchive().Write("\u008a\u00ff")),
        ["no end"] = ("1 more", () => new TorchArchive().Write("}")),
        ["a name without end"] = ("within a name", () => new TorchArchive().Write("ctorch")),
        ["two objects"] = ("leaves 2 objects", () => new TorchArchive().Write("}}.")),
        ["attributes of a list"] = ("attributes", () => new TorchArchive().Write("]}b.")),
        ["a deep nest"] = ("no dictionary", () => new TorchArchive().Write(new string(']', 200_000) + new string('a', 199_999) + ".")),
        ["a list in itself"] = ("no dictionary", () => new TorchArchive().Write("]q\u0000h\u0000a.")),
        ["a number"] = ("no dictionary", () => new TorchArchive().Write("K\u0001.")),
        ["a number for a tensor"] = ("'x' in the pickle is no tensor", () => new TorchArchive().Write("}").Text("x").Write("K\u0001s.")),
        ["a number for a name"] = ("no text", () => new TorchArchive().Write("}K\u0001K\u0001s.")),
        ["a tensor twice"] = ("appears twice", () => Tensor(Of(6, 0, [6], [1]), Of(6, 0, [6], [1]))),
        ["no such storage"] = ("does not have", () => Tensor(a => a.Tensor("FloatStorage", "1", 6, 0, [6], [1]))),
        ["a storage of another size"] = ("lies in a storage of 24 bytes, but 7 elements", () => Tensor(Of(7, 0, [6], [1]))),
        ["a storage of a huge size"] = ("but 9223372036854775807 elements", () => Tensor(Of(long.MaxValue, 0, [6], [1]))),
        ["a storage of another type"] = ("but 6 elements of BF16", () => Tensor(a => a.Tensor("BFloat16Storage", "0", 6, 0, [6], [1]))),
        ["beyond the storage"] = ("reaches to element 6", () => Tensor(Of(6, 1, [6], [1]))),
        ["strides beyond the storage"] = ("reaches to element 8", () => Tensor(Of(6, 0, [2, 3], [4, 2]))),
        ["a negative offset"] = ("reaches to", () => Tensor(Of(6, -1, [6], [1]))),
        ["a negative stride"] = ("negative", () => Tensor(Of(6, 5, [6], [-1]))),
        ["a negative size"] = ("negative", () => Tensor(Of(6, 0, [-6], [1]))),
        ["a shape that overflows"] = ("elements", () => Tensor(Of(6, 0, [1L << 32, 1L << 32], [0, 0]))),
        ["a stride that overflows"] = ("elements", () => Tensor(Of(6, 0, [1L << 40, 2], [1L << 40, 1]))),
        ["a few elements shown too often"] = ("makes 1099511627776 elements", () => Tensor(Of(6, 0, [1L << 20, 1L << 20], [0, 0]))),
        ["sizes without strides"] = ("2 sizes and 1 strides", () => Tensor(Of(6, 0, [2, 3], [1]))),
        ["nine dimensions"] = ("9 sizes", () => Tensor(Of(6, 0, new long[9], new long[9]))),
        ["a wrong checksum"] = ("checksum", () => Good().With(a => a.PickleMask = 1)),
        ["compressed"] = ("compressed", () => Good().With(a => a.Central = (_, header) => header[10] = 8)),
        ["encrypted"] = ("encrypted", () => Good().With(a => a.Central = (_, header) => header[8] = 1)),
        ["an entry twice"] = ("overlap|twice", () => Good().Entry("m/data/0", new byte[24])),
        ["overlapping entries"] = ("differs from the archive's directory", () => Good().With(a => a.Central = (name, header) => { if (name != "m/data.pkl") Put(header, 42, 0); })),
        ["an entry over the next"] = ("overlap", () => Good().With(a => a.Central = (name, header) => { if (name == "m/data.pkl") { Put(header, 20, header[20] + 10); Put(header, 24, header[20]); } })),
        ["an entry beyond the file"] = ("claims 1000000 bytes", () => Good().With(a => a.Central = (_, header) => { Put(header, 20, 1000000); Put(header, 24, 1000000); })),
        ["a header beyond the file"] = ("outside the file", () => Good().With(a => a.Central = (_, header) => Put(header, 42, 1000000))),
        ["sizes that differ"] = ("is stored in", () => Good().With(a => a.Central = (_, header) => Put(header, 20, 1))),
        ["sizes of zip64 without them"] = ("claims 4294967295 bytes", () => Good().With(a => a.Central = (_, header) => { Put(header, 20, -1); Put(header, 24, -1); })),
        ["more entries than there are"] = ("claims 3 entries", () => Good().With(a => a.End = end => end[10] = 3)),
        ["fewer entries than there are"] = ("more than its 1 entries", () => Good().With(a => a.End = end => end[10] = 1)),
        ["far too many entries"] = ("claims 60000 entries", () => Good().With(a => a.End = end => BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), 60000))),
        ["a directory beyond the file"] = ("directory claims", () => Good().With(a => a.End = end => Put(end, 12, 1000000))),
        ["several volumes"] = ("volumes", () => Good().With(a => a.End = end => end[4] = 1)),
        ["zip64 records that disagree"] = ("disagree", () => Good().With(a => a.BeforeEnd = (at, d) => Zip64(at, d.Start, d.Length, d.Count + 1))),
        ["a zip64 record that is not there"] = ("zip64 record", () => Good().With(a => a.BeforeEnd = (at, d) => Zip64(at - 30, d.Start, d.Length, d.Count))),
        ["a zip64 record far away"] = ("outside the file", () => Good().With(a => a.BeforeEnd = (at, d) => Zip64(long.MaxValue, d.Start, d.Length, d.Count))),
        ["a zip64 directory far away"] = ("directory claims", () => Good().With(a => { a.BeforeEnd = (at, d) => Zip64(at, long.MaxValue - 5, d.Length, d.Count); a.End = end => Put(end, 16, -1); })),
        ["two pickles"] = ("2 entries 'data.pkl'", () => Good().Entry("n/data.pkl", [])),
        ["big-endian"] = ("little-endian", () => Good().Entry("m/byteorder", Encoding.ASCII.GetBytes("big"))),
    };

    public static TheoryData<string> Names => [.. Damages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Open_Damaged_IsRefusedInOneSentence(string name)
    {
        (string expected, Func<TorchArchive> make) = Damages[name];
        Exception e = Record.Exception(() => Parse(make().Build()).Dispose());
        Assert.True(e is FormatException or NotSupportedException, $"{name}: {e}");
        Assert.Contains(expected.Split('|'), part => e.Message.Contains(part, StringComparison.Ordinal));
        Assert.StartsWith("pytorch_model.bin: ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void Open_Views_AreReadAsPyTorchMeansThem()
    {
        TorchArchive archive = new TorchArchive().Write("}(");
        archive.Text("whole").Tensor("FloatStorage", "0", 6, 0, [2, 3], [3, 1]);
        archive.Text("transposed").Tensor("FloatStorage", "0", 6, 0, [3, 2], [1, 3]);
        archive.Text("column").Tensor("FloatStorage", "0", 6, 1, [2], [3]);
        archive.Text("second row").Tensor("FloatStorage", "0", 6, 3, [1, 3], [3, 1]);
        archive.Text("repeated").Tensor("FloatStorage", "0", 6, 2, [2, 2], [0, 0]);
        archive.Text("middle").Tensor("FloatStorage", "0", 6, 0, [2, 1, 3], [3, 77, 1]);
        archive.Text("scalar").Tensor("FloatStorage", "0", 6, 5, [], []);
        archive.Text("every other").Tensor("FloatStorage", "0", 6, 0, [3, 1], [2, 1]);
        using PyTorchFile file = Parse(archive.Write("u.").Storage("0", 1, 2, 3, 4, 5, 6).Build());
        Assert.Equal([1f, 2, 3, 4, 5, 6], Values(file, "whole", 2, 3));
        Assert.Equal([1f, 4, 2, 5, 3, 6], Values(file, "transposed", 3, 2));
        Assert.Equal([2f, 5], Values(file, "column", 1, 2));
        Assert.Equal([4f, 5, 6], Values(file, "second row", 1, 3));
        Assert.Equal([3f, 3, 3, 3], Values(file, "repeated", 2, 2));
        Assert.Equal([1f, 2, 3, 4, 5, 6], Values(file, "middle", 2, 3));
        Assert.Equal([6f], Values(file, "scalar", 1, 1));
        Assert.Equal([1f, 3, 5], Values(file, "every other", 3, 1));
    }

    [Fact]
    public void Open_ParametersAndAttributesAndZip64_AreRead()
    {
        TorchArchive archive = new TorchArchive().Write("ccollections\nOrderedDict\n)R(").Text("x").Write("ctorch._utils\n_rebuild_parameter\n(");
        archive.Tensor("HalfStorage", "0", 2, 0, [2], [1]).Write("\u0088ccollections\nOrderedDict\n)RtRu}").Text("_metadata").Write("}sb.");
        archive.Entry("m/data/0", [0, 0x3c, 0, 0xc0]).Entry("m/byteorder", Encoding.ASCII.GetBytes("little")).Entry("m/version", [(byte)'3']);
        archive.BeforeEnd = (at, d) => Zip64(at, d.Start, d.Length, d.Count);
        archive.End = end => end.AsSpan(8, 12).Fill(0xff);
        using PyTorchFile file = Parse(archive.Build());
        Assert.Equal([1f, -2], Values(file, "x", 1, 2));
    }

    [Fact]
    public void Open_Cut_IsRefusedWhereverItIsCut()
    {
        byte[] good = Good().Build();
        Parse(good).Dispose();
        for (int length = 1; length < good.Length; length++)
            Assert.IsType<FormatException>(Record.Exception(() => Parse(good[..length]).Dispose()));
    }

    [Fact]
    public void Open_WithAnyByteChanged_ReadsOrRefuses()
    {
        byte[] good = Good().Build();
        var random = new Random(11);
        for (int i = 0; i < good.Length * 8; i++)
        {
            byte[] changed = [.. good];
            changed[i / 8] ^= (byte)(1 << (i % 8));
            changed[random.Next(changed.Length)] ^= (byte)random.Next(2);   // every other time a second byte
            Exception? e = Record.Exception(() =>
            {
                using PyTorchFile file = Parse(changed);
                foreach (CheckpointTensor tensor in file.Tensors) Values(file, tensor.Name, tensor.Matrix().Rows, tensor.Matrix().Columns);
            });
            Assert.True(e is null or FormatException or NotSupportedException, $"bit {i}: {e}");
        }
    }

    [Fact]
    public void Open_OldContainer_IsRefusedByName()
    {
        byte[] old = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, .. new byte[50]];
        Assert.Contains("1.6", Assert.Throws<NotSupportedException>(() => Parse(old).Dispose()).Message, StringComparison.Ordinal);
    }

    private static TorchArchive Good() => Tensor(Of(6, 0, [2, 3], [3, 1]));

    private static Action<TorchArchive> Of(long count, long offset, long[] shape, long[] strides) => a => a.Tensor("FloatStorage", "0", count, offset, shape, strides);

    /// <summary>A dictionary with these tensors under the name "x", over one storage of six floats.</summary>
    private static TorchArchive Tensor(params Action<TorchArchive>[] tensors)
    {
        TorchArchive archive = new TorchArchive().Write("}(");
        foreach (Action<TorchArchive> tensor in tensors) tensor(archive.Text("x"));
        return archive.Write("u.").Storage("0", 1, 2, 3, 4, 5, 6);
    }

    /// <summary>The record of zip64 and the locator that says where it begins.</summary>
    private static byte[] Zip64(long at, long start, long length, int count)
    {
        byte[] records = new byte[76];
        BinaryPrimitives.WriteUInt32LittleEndian(records, 0x06064b50);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(24), count);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(32), count);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(40), length);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(48), start);
        BinaryPrimitives.WriteUInt32LittleEndian(records.AsSpan(56), 0x07064b50);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(64), at);
        return records;
    }

    private static void Put(byte[] header, int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(at), value);

    private static float[] Values(PyTorchFile file, string name, int rows, int columns)
    {
        CheckpointMatrix matrix = file.Tensors.Single(tensor => tensor.Name == name).Matrix();
        Assert.Equal((rows, columns), (matrix.Rows, matrix.Columns));
        var values = new float[rows * columns];
        for (int row = 0; row < rows; row++) matrix.DecodeRow(row, values.AsSpan(row * columns, columns));
        return values;
    }

    private static PyTorchFile Parse(byte[] bytes)
    {
        var memory = new NativeBuffer(bytes.Length);
        bytes.CopyTo(memory.Span<byte>(0, bytes.Length));
        return PyTorchFile.Parse("pytorch_model.bin", memory);
    }
}
