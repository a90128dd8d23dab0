using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A copy of one of the oracle checkpoints in a temporary folder, to be changed and converted.</summary>
internal sealed class CheckpointFolder : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CheckpointFolder(string oracle)
    {
        foreach (string name in (string[])["config.json", "generation_config.json", "model.safetensors"])
            File.Copy(ModelData.PathOf("oracles", oracle, name), PathOf(name));
    }

    public string Output => PathOf("model.gguf");

    public string PathOf(string name) => _folder[name];

    public void Write(string name, string text) => File.WriteAllText(PathOf(name), text);

    /// <summary>Sets a key of config.json; null removes it.</summary>
    public void Set(string key, JsonNode? value)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(PathOf("config.json")))!.AsObject();
        config.Remove(key);
        if (value is not null) config[key] = value;
        Write("config.json", config.ToJsonString());
    }

    /// <summary>Changes the tensors of a file: name to sizes and float32 values.</summary>
    public void Edit(Action<Dictionary<string, (long[] Shape, float[] Values)>> change, string name = "model.safetensors")
    {
        var tensors = new Dictionary<string, (long[] Shape, float[] Values)>();
        using (SafetensorsFile file = SafetensorsFile.Open(PathOf(name), copyToMemory: true))
            foreach (CheckpointTensor entry in file.Tensors)
                tensors.Add(entry.Name, ([.. entry.Shape], ModelData.Floats(file, entry.Name)));
        change(tensors);
        var header = new JsonObject();
        long offset = 0;
        foreach ((string tensor, (long[] shape, float[] values)) in tensors)
        {
            header[tensor] = new JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new JsonArray([.. shape.Select(size => (JsonNode)size)]),
                ["data_offsets"] = new JsonArray(offset, offset += values.Length * sizeof(float)),
            };
        }
        using FileStream stream = File.Create(PathOf(name));
        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        stream.Write(length);
        stream.Write(json);
        foreach ((_, (_, float[] values)) in tensors)
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
    }

    public ConversionReport Convert(QuantType? type = null, string? name = null) =>
        ModelConverter.Convert(PathOf("."), Output, new ConversionOptions { Target = QuantTarget.ByName((type ?? QuantTypes.F32).Name)!, Name = name });

    public ConversionReport Convert(QuantTarget target, QuantPolicy policy, int threads = 0) =>
        ModelConverter.Convert(PathOf("."), Output, new ConversionOptions { Target = target, Policy = policy, Threads = threads });

    public void Dispose() => _folder.Dispose();
}
