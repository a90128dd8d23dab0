using System.Text.Json.Nodes;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Weights spread over several files with an index.</summary>
public class ShardedCheckpointTests
{
    private const string Single = "model.safetensors", Index = Single + ".index.json";
    private const string First = "model-00001-of-00002.safetensors", Second = "model-00002-of-00002.safetensors";
    private const string Head = "backbone.norm_f.weight";

    [Fact]
    public void Shards_Converted_GiveTheBytesOfOneFile()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Convert(QuantTypes.Q8_0, "same");
        byte[] expected = File.ReadAllBytes(folder.Output);
        Split(folder);
        folder.Convert(QuantTypes.Q8_0, "same");
        Assert.Equal(expected, File.ReadAllBytes(folder.Output));
    }

    [Fact]
    public void PyTorchShards_OfViews_GiveTheBytesOfSafetensors()
    {
        using var folder = new CheckpointFolder("mamba");
        folder.Convert(QuantTypes.F16, "same");
        byte[] expected = File.ReadAllBytes(folder.Output);
        var map = new JsonObject();
        folder.Edit(tensors =>
        {
            int half = tensors.Count / 2;
            WriteTorch(folder, "pytorch_model-00001-of-00002.bin", tensors.Take(half), map);
            WriteTorch(folder, "pytorch_model-00002-of-00002.bin", tensors.Skip(half), map);
        });
        File.Delete(folder.PathOf(Single));
        folder.Write("pytorch_model.bin.index.json", new JsonObject { ["weight_map"] = map }.ToJsonString());
        folder.Convert(QuantTypes.F16, "same");
        Assert.Equal(expected, File.ReadAllBytes(folder.Output));
    }

    [Fact]
    public void Output_ThatIsAShard_IsRefused()
    {
        using var folder = new CheckpointFolder("mamba");
        Split(folder);
        byte[] shard = File.ReadAllBytes(folder.PathOf(First));
        Assert.Throws<ArgumentException>(() => ModelConverter.Convert(folder.PathOf("."), folder.PathOf(First), new ConversionOptions()));
        Assert.Equal(shard, File.ReadAllBytes(folder.PathOf(First)));
    }

    [Fact]
    public void Shard_Missing_IsNamedWithItsNumber()
    {
        using var folder = new CheckpointFolder("mamba");
        Split(folder);
        File.Delete(folder.PathOf(Second));
        Refuses<FileNotFoundException>(folder, "part 2 of 2", Second);
    }

    [Fact]
    public void Tensor_InTwoShards_IsRefused()
    {
        using var folder = new CheckpointFolder("mamba");
        Split(folder);
        (long[] Shape, float[] Values) copied = default;
        folder.Edit(tensors => copied = tensors[Head], Second);
        folder.Edit(tensors => tensors[Head] = copied, First);
        Refuses<FormatException>(folder, Head, First, $"in '{Second}'");
    }

    [Fact]
    public void Index_ThatDisagreesWithTheShards_IsRefused()
    {
        using var folder = new CheckpointFolder("mamba");
        Split(folder);
        string good = File.ReadAllText(folder.PathOf(Index));
        Map(folder, map => map.Remove(Head));
        Refuses<FormatException>(folder, Head, "nowhere");
        folder.Write(Index, good);
        Map(folder, map => map[Head] = First);
        Refuses<FormatException>(folder, Head, First);
        folder.Write(Index, good);
        Map(folder, map => map["backbone.more"] = Second);
        Refuses<FormatException>(folder, "backbone.more", "is not");
    }

    [Theory]
    [InlineData("../model.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a\\b")]
    public void Index_ThatLeavesTheFolder_IsRefused(string file)
    {
        using var folder = new CheckpointFolder("mamba");
        Split(folder);
        Map(folder, map => map[Head] = file);
        Refuses<FormatException>(folder, Head, "same folder");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"weight_map": []}""")]
    [InlineData("""{"weight_map": {}}""")]
    [InlineData("""{"weight_map": {"a": 1}}""")]
    [InlineData("""{"weight_map": {"a": "b", "a": "b"}}""")]
    [InlineData("""{"weight_map": {"\ud800": "b"}}""")]
    public void Index_Damaged_IsRefused(string index)
    {
        using var folder = new CheckpointFolder("mamba");
        Split(folder);
        folder.Write(Index, index);
        Refuses<FormatException>(folder, Index);
    }

    /// <summary>Puts every other tensor into a second file, with an index as transformers writes it.</summary>
    private static void Split(CheckpointFolder folder)
    {
        File.Copy(folder.PathOf(Single), folder.PathOf(First));
        File.Move(folder.PathOf(Single), folder.PathOf(Second));
        var map = new JsonObject();
        Take(First, 0);
        Take(Second, 1);
        folder.Write(Index, new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = 1 }, ["weight_map"] = map }.ToJsonString());

        void Take(string file, int parity) => folder.Edit(tensors =>
        {
            string[] names = [.. tensors.Keys.Order(StringComparer.Ordinal)];
            for (int i = 0; i < names.Length; i++)
            {
                if (i % 2 == parity) map[names[i]] = file;
                else tensors.Remove(names[i]);
            }
        }, file);
    }

    /// <summary>Writes tensors as views of one storage, one after the other; matrices are transposed, so that their rows are strided.</summary>
    private static void WriteTorch(CheckpointFolder folder, string file, IEnumerable<KeyValuePair<string, (long[] Shape, float[] Values)>> tensors, JsonObject map)
    {
        float[] storage = [.. tensors.SelectMany(tensor => tensor.Value.Shape.Length == 2 ? Transposed(tensor.Value.Shape, tensor.Value.Values) : tensor.Value.Values)];
        TorchArchive archive = new TorchArchive().Write("}(");
        long offset = 0;
        foreach ((string name, (long[] shape, float[] values)) in tensors)
        {
            long[] strides = shape.Length == 2 ? [1, shape[0]] : shape.Length == 3 ? [shape[2], 5, 1] : [1];
            archive.Text(name).Tensor("FloatStorage", "0", storage.Length, offset, shape, strides);
            offset += values.Length;
            map[name] = file;
        }
        File.WriteAllBytes(folder.PathOf(file), archive.Write("u.").Storage("0", storage).Build());
    }

    private static float[] Transposed(long[] shape, float[] values)
    {
        var transposed = new float[values.Length];
        for (int i = 0; i < values.Length; i++) transposed[i % shape[1] * shape[0] + i / shape[1]] = values[i];
        return transposed;
    }

    private static void Map(CheckpointFolder folder, Action<JsonObject> change)
    {
        JsonObject index = JsonNode.Parse(File.ReadAllText(folder.PathOf(Index)))!.AsObject();
        change(index["weight_map"]!.AsObject());
        folder.Write(Index, index.ToJsonString());
    }

    private static void Refuses<T>(CheckpointFolder folder, params string[] named) where T : Exception
    {
        string message = Assert.Throws<T>(() => folder.Convert()).Message;
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
        Assert.False(File.Exists(folder.Output));
    }
}
