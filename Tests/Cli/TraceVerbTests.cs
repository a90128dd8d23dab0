using System.Text.Json;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>'info --trace'.</summary>
public sealed class TraceVerbTests
{
    [Fact]
    public void Trace_TextAgainstTheReference_ListsEveryOpAndPartsNowhere()
    {
        string[] line = ["info", "--trace", "-p", "Once upon a time", "--against", "reference"];
        CommandLine plain = CommandLine.Run(line), json = CommandLine.Run([.. line, "--json"]);

        Assert.Equal(0, plain.Code);
        Assert.Contains("on cpu, against reference\n", plain.Output);
        Assert.Matches(@"\nblk\.0\.scan +SelectiveScan +\d+ x 1024 +", plain.Output);
        Assert.EndsWith("trace       no operation of cpu is further from reference than its bound\n", plain.Output);
        JsonElement trace = json.Json().GetProperty("trace");
        Assert.Equal("cpu", trace.GetProperty("backend").GetString());
        Assert.Equal(JsonValueKind.Null, trace.GetProperty("parts_at").ValueKind);
        int tokens = trace.GetProperty("tokens").GetArrayLength();
        JsonElement first = trace.GetProperty("operations")[0], last = trace.GetProperty("operations").EnumerateArray().Last();
        Assert.True(tokens > 1);
        Assert.Equal(("token_embd", "Embed", tokens, 512), (first.GetProperty("name").GetString(), first.GetProperty("kind").GetString(), first.GetProperty("rows").GetInt32(), first.GetProperty("columns").GetInt32()));
        Assert.Equal(("output", 1), (last.GetProperty("name").GetString(), last.GetProperty("rows").GetInt32()));
        Assert.InRange(last.GetProperty("error").GetDouble(), 0, last.GetProperty("allowed").GetDouble());
    }

    [Fact]
    public void Trace_TokensOfOneBackend_ShowsNoErrors()
    {
        CommandLine run = CommandLine.Run(["info", "--trace", "--tokens", "5", "--backend", "reference"]);

        Assert.Equal(0, run.Code);
        Assert.Contains("\nTrace of 1 token on reference\noperation", run.Output);
        Assert.Matches(@"\noutput +Linear +1 x 8192 +\S+ +\S+ +\S+\n$", run.Output);
    }

    [Fact]
    public void Trace_RunThatFails_ShowsTheOpsBeforeAndTheSentence()
    {
        using var folder = new TemporaryFolder();
        using (GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder))
        {
            var writer = new GgufWriter(file.Metadata);
            foreach (GgufTensorInfo tensor in file.Tensors)
            {
                file.TryGet(tensor.Name, out TensorView view);
                writer.AddTensor(tensor.Name, tensor.Type, [.. tensor.Dimensions], stream =>
                {
                    byte[] bytes = view.Part(0, (int)view.Bytes).ToArray();
                    if (tensor.Name == "blk.0.ssm_out.weight")
                        for (int at = 0; at < bytes.Length; at += 4) BitConverter.TryWriteBytes(bytes.AsSpan(at), 3e38f);
                    stream.Write(bytes);
                });
            }
            writer.Write(folder["large.gguf"]);
        }

        CommandLine run = CommandLine.Run(["info", "-m", folder["large.gguf"], "--trace", "--tokens", "5,6"]);

        Assert.Equal(1, run.Code);
        Assert.Matches(@"\nblk\.0\.out [^\n]*\n$", run.Output);
        Assert.Single(run.ErrorLines);
    }

    [Theory]
    [InlineData("--tokens", "5")]
    [InlineData("-p", "hi")]
    [InlineData("--against", "reference")]
    public void Trace_ItsOptionsWithoutIt_AreRefused(string option, string value)
    {
        CommandLine run = CommandLine.Run(["info", option, value]);

        Assert.Equal(2, run.Code);
        Assert.Contains("--trace", run.Error);
    }
}
