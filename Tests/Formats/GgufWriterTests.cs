using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class GgufWriterTests
{
    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public void Write_TensorOfWrongLength_KeepsTheOldFile(int bytes)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["model.gguf"], "old");
        var writer = new GgufWriter(new GgufMetadata("new"));
        writer.AddTensor("a.weight", QuantTypes.F32, [4], stream => stream.Write(new byte[bytes]));
        string message = Assert.Throws<InvalidOperationException>(() => writer.Write(folder["model.gguf"])).Message;
        Assert.Contains("'a.weight'", message);
        Assert.Contains($"{bytes} bytes; 16 are needed", message);
        Assert.Equal(["model.gguf"], folder.Files);
        Assert.Equal("old", File.ReadAllText(folder["model.gguf"]));
    }

    [Fact]
    public void AddTensor_ThatCannotBeStored_IsRefused()
    {
        var writer = new GgufWriter(new GgufMetadata("new"));
        writer.AddTensor("a", QuantTypes.F32, [4], _ => { });
        (string Name, long[] Dimensions)[] bad = [("a", [4]), ("", [4]), (new string('n', 1025), [4]), ("b", []), ("b", [1, 1, 1, 1, 1]), ("b", [0]), ("b", [-1]), ("b", [1L << 31]), ("b", [1, 1 << 16, 1 << 16])];
        foreach (var (name, dimensions) in bad)
            Assert.Throws<ArgumentException>(() => writer.AddTensor(name, QuantTypes.F32, dimensions, _ => { }));
    }

    [Fact]
    public void WriteTo_StreamThatCannotSeek_WritesTheSameAndLeavesItOpen()
    {
        GgufWriter writer = GgufSamples.Writer(GgufSamples.AllTypes());
        using var stream = new OneWayStream();
        writer.WriteTo(stream);
        Assert.Equal(GgufSamples.Bytes(writer), stream.ToArray());
        Assert.True(stream.CanWrite);
    }

    [Fact]
    public void WriteTo_AlignmentThatIsNoPowerOfTwo_IsRefused()
    {
        var metadata = new GgufMetadata("new.gguf");
        metadata.Set("general.alignment", 48u);
        string message = Assert.Throws<FormatException>(() => new GgufWriter(metadata).WriteTo(Stream.Null)).Message;
        Assert.Contains("new.gguf: key 'general.alignment' is 48; a power of two is needed", message);
    }

    [Fact]
    public void MemoryWeights_AddAndAddRaw_GiveTheValuesBack()
    {
        using var weights = new MemoryWeights();
        float[] values = [1, 2, 3, 4, 5, 6];
        weights.Add("half", QuantTypes.F16, 2, 3, values);
        weights.AddRaw("raw", QuantTypes.F32, 1, 2, [0, 0, 128, 63, 0, 0, 0, 64]);
        weights.EnsureReadable();
        Assert.Equal(values, GgufSamples.Values(weights, "half"));
        Assert.Equal([1f, 2f], GgufSamples.Values(weights, "raw"));
        Assert.False(weights.TryGet("other", out _));
        Assert.Throws<ArgumentException>(() => weights.Add("half", QuantTypes.F16, 2, 3, new float[6]));
        Assert.Throws<ArgumentException>(() => weights.Add("short", QuantTypes.F16, 2, 3, new float[5]));
        Assert.Throws<ArgumentException>(() => weights.AddRaw("short", QuantTypes.F32, 1, 2, new byte[7]));
        weights.Dispose();
        Assert.Throws<ObjectDisposedException>(weights.EnsureReadable);
        Assert.Throws<ObjectDisposedException>(() => weights.TryGet("half", out _));
    }

    private sealed class OneWayStream : MemoryStream
    {
        public override bool CanSeek => false;

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override long Seek(long offset, SeekOrigin loc) => throw new NotSupportedException();
    }
}
