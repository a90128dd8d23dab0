using System.Text;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Importance matrices in both of llama.cpp's forms, whole and damaged.</summary>
public sealed class ImportanceMatrixTests
{
    [Fact]
    public void Write_ThenRead_KeepsMeansAndFacts()
    {
        using var folder = new TemporaryFolder();
        var written = new ImportanceMatrix("made") { Datasets = ["text.txt"], Chunks = 3, ChunkTokens = 512 };
        written.Add("blk.0.ssm_in.weight", [0, 0.5f, 2.25f], 1536);
        written.Add("blk.0.ssm_out.weight", [4], 100);
        written.Write(folder["m.gguf"]);

        ImportanceMatrix read = ImportanceMatrix.Read(folder["m.gguf"]);

        Assert.Equal(["blk.0.ssm_in.weight", "blk.0.ssm_out.weight"], read.Names);
        Assert.True(read.TryGet("blk.0.ssm_in.weight", out float[] means));
        Assert.Equal([0, 0.5f, 2.25f], means);
        Assert.Equal((3, 512, "text.txt"), (read.Chunks, read.ChunkTokens, read.Datasets.Single()));
        Assert.False(read.TryGet("blk.1.ssm_in.weight", out _));
    }

    [Fact]
    public void Write_LaysOutWhatLlamaCppReads()
    {
        using var folder = new TemporaryFolder();
        var written = new ImportanceMatrix("made") { Datasets = ["text.txt"], Chunks = 3, ChunkTokens = 512 };
        written.Add("blk.0.ssm_in.weight", [0.5f, 2], 1536);
        written.Write(folder["m.gguf"]);

        using GgufFile file = GgufFile.Open(folder["m.gguf"]);

        Assert.Equal("imatrix", file.Metadata.GetString("general.type"));
        Assert.Equal((3, 512), (file.Metadata.GetInt32("imatrix.chunk_count"), file.Metadata.GetInt32("imatrix.chunk_size")));
        Assert.True(file.TryGet("blk.0.ssm_in.weight.in_sum2", out TensorView sums));
        Assert.True(file.TryGet("blk.0.ssm_in.weight.counts", out TensorView counts));
        float[] values = new float[2], count = new float[1];
        sums.DecodeRow(0, values);
        counts.DecodeRow(0, count);
        Assert.Equal([768, 3072, 1536], [.. values, .. count]);
    }

    [Fact]
    public void Read_OlderForm_DividesByTheCalls()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["m.dat"], Legacy([("blk.0.ssm_in.weight", 4, [8, 2])], trailer: true));

        ImportanceMatrix read = ImportanceMatrix.Read(folder["m.dat"]);

        Assert.True(read.TryGet("blk.0.ssm_in.weight", out float[] means));
        Assert.Equal([2, 0.5f], means);
        Assert.Equal((7, "text.txt"), (read.Chunks, read.Datasets.Single()));
    }

    [Fact]
    public void Read_OlderFormCutAnywhere_IsRefusedOrWhole()
    {
        using var folder = new TemporaryFolder();
        byte[] whole = Legacy([("blk.0.ssm_in.weight", 4, [8, 2]), ("blk.0.ssm_out.weight", 4, [1])], trailer: true);
        int read = 0;
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(folder["m.dat"], whole[..length]);
            try
            {
                Assert.Equal(2, ImportanceMatrix.Read(folder["m.dat"]).Count);
                read++;
            }
            catch (FormatException e)
            {
                Assert.Contains("m.dat", e.Message, StringComparison.Ordinal);
            }
        }
        Assert.Equal(2, read);   // without its trailer, and without the path in it
    }

    [Theory]
    [InlineData(int.MaxValue, 4, 2, 8f)]
    [InlineData(-1, 4, 2, 8f)]
    [InlineData(1, 4, int.MaxValue, 8f)]
    [InlineData(1, 4, -1, 8f)]
    [InlineData(1, 0, 2, 8f)]
    [InlineData(1, 4, 2, -1f)]
    [InlineData(1, 4, 2, float.NaN)]
    [InlineData(1, 4, 2, float.PositiveInfinity)]
    public void Read_OlderFormWithNumbersThatCannotBe_IsRefused(int entries, int calls, int columns, float value)
    {
        using var folder = new TemporaryFolder();
        using (var writer = new BinaryWriter(File.Create(folder["m.dat"])))
        {
            writer.Write(entries);
            writer.Write(4);
            writer.Write("name"u8);
            writer.Write(calls);
            writer.Write(columns);
            writer.Write(value);
            writer.Write(1f);
        }
        Assert.Contains("m.dat", Assert.Throws<FormatException>(() => ImportanceMatrix.Read(folder["m.dat"])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no counts")]
    [InlineData("no entries")]
    [InlineData("other type")]
    [InlineData("never used")]
    [InlineData("not finite")]
    public void Read_GgufThatIsNoMatrix_IsRefused(string fault)
    {
        using var folder = new TemporaryFolder();
        var metadata = new GgufMetadata("test");
        metadata.Set("general.type", fault == "other type" ? "model" : "imatrix");
        var writer = new GgufWriter(metadata);
        if (fault != "no entries") writer.AddTensor("a.in_sum2", QuantTypes.F32, [1, 1], stream => stream.Write(BitConverter.GetBytes(fault == "not finite" ? float.NaN : 1f)));
        if (fault is not ("no entries" or "no counts")) writer.AddTensor("a.counts", QuantTypes.F32, [1, 1], stream => stream.Write(BitConverter.GetBytes(fault == "never used" ? 0f : 1f)));
        writer.Write(folder["m.gguf"]);

        Assert.Contains("m.gguf", Assert.Throws<FormatException>(() => ImportanceMatrix.Read(folder["m.gguf"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_Experts_AreRefused()
    {
        using var folder = new TemporaryFolder();
        var metadata = new GgufMetadata("test");
        metadata.Set("general.type", "imatrix");
        var writer = new GgufWriter(metadata);
        writer.AddTensor("a.in_sum2", QuantTypes.F32, [1, 2], stream => stream.Write(new byte[8]));
        writer.AddTensor("a.counts", QuantTypes.F32, [1, 2], stream => stream.Write(new byte[8]));
        writer.Write(folder["m.gguf"]);

        Assert.Throws<NotSupportedException>(() => ImportanceMatrix.Read(folder["m.gguf"]));
    }

    private static byte[] Legacy((string Name, int Calls, float[] Sums)[] entries, bool trailer)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(entries.Length);
        foreach ((string name, int calls, float[] sums) in entries)
        {
            writer.Write(name.Length);
            writer.Write(Encoding.UTF8.GetBytes(name));
            writer.Write(calls);
            writer.Write(sums.Length);
            foreach (float sum in sums) writer.Write(sum);
        }
        if (trailer)
        {
            writer.Write(7);
            writer.Write("text.txt".Length);
            writer.Write("text.txt"u8);
        }
        return stream.ToArray();
    }
}
