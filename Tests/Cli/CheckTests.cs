using System.Text.Json;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>'info --check', and what other verbs say of a model with weights that are not finite.</summary>
public sealed class CheckTests
{
    [Theory]
    [InlineData("blk.1.ssm_out.weight")]
    [InlineData("output_norm.weight")]
    public void Info_CheckOfADamagedModel_NamesTheTensorAndOthersRefuse(string damaged)
    {
        using var folder = new TemporaryFolder();
        string model = Damaged(folder, damaged);

        CommandLine check = CommandLine.Run(["info", "-m", model, "--check"]);
        JsonElement json = CommandLine.Run(["info", "-m", model, "--check", "--json"]).Json();

        Assert.Equal(1, check.Code);
        Assert.Matches($@"Not finite\n(.*\n)?{damaged} +1 +0", check.Output);
        Assert.Contains("1 of 22 tensors hold NaN or infinity", check.Error);
        Assert.Equal(damaged, json.GetProperty("not_finite")[0].GetProperty("name").GetString());
        foreach (string backend in TestBackends.Devices.Where(b => b != TestBackends.VulkanDots))
        {
            CommandLine logits = CommandLine.Run(["logits", "-m", model, "--tokens", "5,6,7", "--backend", backend]);
            Assert.Equal(1, logits.Code);
            Assert.Empty(logits.Output);
            Assert.Contains($"'{damaged}' holds NaN or infinity", logits.Error);
        }
    }

    [Fact]
    public void Info_CheckOfASoundModel_SaysSo()
    {
        using var folder = new TemporaryFolder();
        using (MicroModels.OpenFile("micro-mamba-f32", folder))
        {
        }
        CommandLine check = CommandLine.Run(["info", "-m", folder["micro-mamba-f32.gguf"], "--check"]);
        Assert.Equal(0, check.Code);
        Assert.Contains("every value of the 22 tensors is finite", check.Output);
        Assert.Equal(0, CommandLine.Run(["info", "-m", folder["micro-mamba-f32.gguf"], "--check", "--json"]).Json().GetProperty("not_finite").GetArrayLength());
    }

    private static string Damaged(TemporaryFolder folder, string damaged)
    {
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);
        var writer = new GgufWriter(file.Metadata);
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            file.TryGet(tensor.Name, out TensorView view);
            writer.AddTensor(tensor.Name, tensor.Type, [.. tensor.Dimensions], stream =>
            {
                byte[] bytes = view.Part(0, (int)view.Bytes).ToArray();
                if (tensor.Name == damaged) BitConverter.TryWriteBytes(bytes.AsSpan(8), float.NaN);
                stream.Write(bytes);
            });
        }
        writer.Write(folder["damaged.gguf"]);
        return folder["damaged.gguf"];
    }
}
