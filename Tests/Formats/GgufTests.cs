using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class GgufTests
{
    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(1)]
    public void Writer_AllTypesAtAlignment_ReadBack(int alignment)
    {
        using var folder = new TemporaryFolder();
        GgufMetadata metadata = GgufSamples.AllTypes();
        if (alignment != 32) metadata.Set("general.alignment", (uint)alignment);
        GgufSamples.Writer(metadata).Write(folder["model.gguf"]);
        Assert.Equal(["model.gguf"], folder.Files);

        foreach (bool copy in new[] { false, true })
        {
            using GgufFile file = GgufFile.Open(folder["model.gguf"], new GgufOpenOptions { CopyToMemory = copy });
            file.EnsureReadable();
            Assert.Equal(new FileInfo(folder["model.gguf"]).Length, file.FileBytes);
            AssertSame(metadata, file.Metadata);
            AssertTensors(file, alignment);
        }
    }

    [Fact]
    public void Open_Version2_ReadsTheSame()
    {
        byte[] bytes = GgufSamples.Bytes(GgufSamples.Writer(GgufSamples.AllTypes()));
        bytes[4] = 2;
        using GgufFile file = GgufSamples.Parse(bytes);
        AssertSame(GgufSamples.AllTypes(), file.Metadata);
        AssertTensors(file, 32);
    }

    [Fact]
    public void Open_VocabularyOnly_HasNoTensors()
    {
        var metadata = new GgufMetadata("vocabulary");
        metadata.Set("tokenizer.ggml.tokens", new[] { "<s>", "a" });
        byte[] bytes = GgufSamples.Bytes(new GgufWriter(metadata));
        using GgufFile file = GgufSamples.Parse(bytes.AsSpan().TrimEnd((byte)0));   // not even padded
        Assert.Empty(file.Tensors);
        Assert.Equal(["<s>", "a"], file.Metadata.TryGetStrings("tokenizer.ggml.tokens")!);
        Assert.False(file.TryGet("output.weight", out _));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_WindowOfALargerFile_ReadsTheModelInside(bool copy)
    {
        using var folder = new TemporaryFolder();
        byte[] model = GgufSamples.Bytes(GgufSamples.Writer(GgufSamples.AllTypes()));
        File.WriteAllBytes(folder["program"], [.. new byte[5001], .. model, .. new byte[777]]);
        using GgufFile file = GgufFile.Open(folder["program"], new GgufOpenOptions { Offset = 5001, Length = model.Length, CopyToMemory = copy });
        Assert.Equal(model.Length, file.FileBytes);
        AssertTensors(file, 32);
        Assert.Throws<FormatException>(() => GgufFile.Open(folder["program"], new GgufOpenOptions { Offset = 5001, Length = model.Length + 778, CopyToMemory = copy }));
        Assert.Throws<FormatException>(() => GgufFile.Open(folder["program"], new GgufOpenOptions { Offset = 5001 + model.Length + 777, CopyToMemory = copy }));
    }

    [Fact]
    public void Open_BeyondTwoGiB_ReadsTheLastRow()
    {
        using var folder = new TemporaryFolder();
        const int Columns = 1 << 20, Rows = 513;
        byte[] header = new RawGguf { DataBytes = 0 }.Tensor("big", 0, 0, Columns, Rows).Build();
        using (FileStream stream = File.Create(folder["big.gguf"]))   // sparse where the file system can
        {
            stream.Write(header);
            stream.SetLength(header.Length + 4L * Columns * Rows);
            stream.Position = stream.Length - 4;
            stream.Write(BitConverter.GetBytes(42f));
        }
        using GgufFile file = GgufFile.Open(folder["big.gguf"]);
        Assert.True(file.FileBytes > int.MaxValue);
        Assert.True(file.TryGet("big", out TensorView view));
        Assert.Equal(42f, BitConverter.ToSingle(view.Row(Rows - 1)[^4..]));
    }

    [Fact]
    public void EnsureReadable_FileTruncatedAfterOpening_Throws()
    {
        using var folder = new TemporaryFolder();
        GgufSamples.Writer(GgufSamples.AllTypes()).Write(folder["model.gguf"]);
        using GgufFile mapped = GgufFile.Open(folder["model.gguf"]);
        using GgufFile copied = GgufFile.Open(folder["model.gguf"], new GgufOpenOptions { CopyToMemory = true });
        mapped.EnsureReadable();
        using (FileStream stream = Rewrite(folder["model.gguf"])) stream.SetLength(100);
        AssertChanged(mapped, folder["model.gguf"]);
        AssertTensors(copied, 32);
        copied.EnsureReadable();
    }

    [Fact]
    public void EnsureReadable_FileRewrittenInPlace_Throws()
    {
        using var folder = new TemporaryFolder();
        GgufSamples.Writer(GgufSamples.AllTypes()).Write(folder["model.gguf"]);
        File.SetLastWriteTimeUtc(folder["model.gguf"], DateTime.UtcNow.AddHours(-1));
        using GgufFile file = GgufFile.Open(folder["model.gguf"]);
        using (FileStream stream = Rewrite(folder["model.gguf"])) stream.WriteByte(0);
        AssertChanged(file, folder["model.gguf"]);
    }

    [MachineFact(Needs.Unix)]
    public void EnsureReadable_FileReplacedByRename_KeepsTheOldOne()
    {
        using var folder = new TemporaryFolder();
        GgufSamples.Writer(GgufSamples.AllTypes()).Write(folder["model.gguf"]);
        using GgufFile file = GgufFile.Open(folder["model.gguf"]);
        new GgufWriter(new GgufMetadata("other")).Write(folder["model.gguf"]);
        file.EnsureReadable();
        AssertTensors(file, 32);
        File.Delete(folder["model.gguf"]);
        file.EnsureReadable();
    }

    [Fact]
    public void EnsureReadable_EveryCall_AllocatesNothing()
    {
        using var folder = new TemporaryFolder();
        GgufSamples.Writer(GgufSamples.AllTypes()).Write(folder["model.gguf"]);
        using GgufFile file = GgufFile.Open(folder["model.gguf"]);
        file.EnsureReadable();
        Assert.Equal(0, Allocation.OnThread(() =>
        {
            for (int i = 0; i < 100; i++) file.EnsureReadable();
        }));
    }

    [Fact]
    public void Use_AfterDispose_Throws()
    {
        GgufFile file = GgufSamples.Parse(GgufSamples.Bytes(GgufSamples.Writer(GgufSamples.AllTypes())));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryGet("matrix.f32", out _));
        Assert.Throws<ObjectDisposedException>(file.EnsureReadable);
        file.Dispose();
    }

    [Fact]
    public void Open_NoFileOrAFolder_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("there is no such file", Assert.Throws<FileNotFoundException>(() => GgufFile.Open(folder["none.gguf"])).Message);
        Assert.Contains("there is no such file", Assert.Throws<FileNotFoundException>(() => GgufFile.Open(folder["none/none.gguf"])).Message);
        Assert.Contains("this is a folder", Assert.Throws<IOException>(() => GgufFile.Open(Path.GetDirectoryName(folder["x"])!)).Message);
        File.WriteAllBytes(folder["empty.gguf"], []);
        Assert.Contains("the file is empty", Assert.Throws<FormatException>(() => GgufFile.Open(folder["empty.gguf"])).Message);
    }

    private static FileStream Rewrite(string path) => new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);

    private static void AssertChanged(GgufFile file, string path)
    {
        string message = Assert.Throws<IOException>(file.EnsureReadable).Message;
        Assert.StartsWith($"{path}: the file was rewritten or resized while in use", message);
    }

    private static void AssertSame(GgufMetadata expected, GgufMetadata found)
    {
        Assert.Equal(expected.Entries.Select(e => e.Key), found.Entries.Select(e => e.Key));
        foreach ((string key, GgufValue value) in expected.Entries)
        {
            Assert.True(found.TryGet(key, out GgufValue other));
            AssertSame(value, other);
        }
    }

    private static void AssertSame(GgufValue expected, GgufValue found)
    {
        Assert.Equal((expected.Type, expected.ElementType), (found.Type, found.ElementType));
        if (expected.Value is not GgufValue[] nested)
        {
            Assert.Equal(expected.Value, found.Value);
            return;
        }
        var others = Assert.IsType<GgufValue[]>(found.Value);
        Assert.Equal(nested.Length, others.Length);
        for (int i = 0; i < nested.Length; i++) AssertSame(nested[i], others[i]);
    }

    private static void AssertTensors(GgufFile file, int alignment)
    {
        Assert.Equal(["vector.f16", "matrix.f32", "cube.bf16"], file.Tensors.Select(t => t.Name));
        Assert.Equal([[5L], [4, 3], [4, 3, 2]], file.Tensors.Select(t => t.Dimensions));
        Assert.Equal([QuantTypes.F16, QuantTypes.F32, QuantTypes.BF16], file.Tensors.Select(t => t.Type));
        Assert.Equal([10L, 48, 48], file.Tensors.Select(t => t.Bytes));
        Assert.All(file.Tensors, t => Assert.Equal(0, t.Offset % alignment));
        Assert.True(file.TryGet("cube.bf16", out TensorView cube));
        Assert.Equal((6, 4), (cube.Rows, cube.Columns));
        Assert.True(file.TryGet("vector.f16", out TensorView vector));
        Assert.Equal((1, 5), (vector.Rows, vector.Columns));
        Assert.Equal(Enumerable.Range(0, 5).Select(i => (float)i), GgufSamples.Values(file, "vector.f16"));
        Assert.Equal(Enumerable.Range(100, 12).Select(i => (float)i), GgufSamples.Values(file, "matrix.f32"));
        Assert.Equal(Enumerable.Range(200, 24).Select(i => (float)i), GgufSamples.Values(file, "cube.bf16"));
    }
}
