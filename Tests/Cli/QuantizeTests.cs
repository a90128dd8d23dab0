using System.Text.Json;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The verbs that quantize, from the command line.</summary>
public sealed class QuantizeTests
{
    private static string Model(TemporaryFolder folder)
    {
        using GgufFile file = MicroModels.OpenFile("micro-mamba-f32", folder);
        return folder["micro-mamba-f32.gguf"];
    }

    [Fact]
    public void Quantize_DryRun_ListsEveryTensorAndWritesNothing()
    {
        using var folder = new TemporaryFolder();
        string model = Model(folder);

        CommandLine plain = CommandLine.Run(["quantize", model, "Q4_K_M", "--dry-run", "--policy", "llama"]);
        JsonElement json = CommandLine.Run(["quantize", model, "Q4_K_M", "--dry-run", "--policy", "llama", "--json"]).Json();

        Assert.Equal(0, plain.Code);
        Assert.Matches(@"blk\.0\.ssm_out\.weight +512 x 256 +F32 +Q4_K +73,728", plain.Output);
        Assert.Contains("bits per weight", plain.Output);
        Assert.Contains("blk.*.ssm_dt.weight (2 tensors): rows of 32 values are not whole blocks of Q4_K; stored as Q5_0.", plain.Error);
        Assert.Equal(22, json.GetProperty("tensors").GetArrayLength());
        Assert.False(json.TryGetProperty("output", out _));
        Assert.Single(folder.Files);
    }

    [Fact]
    public void Quantize_AllOptions_WritesWhatTheDryRunSaid()
    {
        using var folder = new TemporaryFolder();
        string model = Model(folder);
        var matrix = new ImportanceMatrix("made");
        matrix.Add("blk.0.ssm_out.weight", [.. Enumerable.Range(0, 512).Select(i => i % 7 * 0.5f)], 64);
        matrix.Write(folder["m.gguf"]);

        CommandLine run = CommandLine.Run(["quantize", model, folder["out.gguf"], "q3_k_m", "--imatrix", folder["m.gguf"], "--override", "ssm_in=Q5_K", "--override", "blk.1.ssm_in=Q6_K", "-t", "2", "--json"]);

        JsonElement json = run.Json();
        using GgufFile file = GgufFile.Open(folder["out.gguf"]);
        Assert.Equal(json.GetProperty("tensors").EnumerateArray().Select(t => (t.GetProperty("name").GetString(), t.GetProperty("stored").GetString(), t.GetProperty("bytes").GetInt64())),
            file.Tensors.Select(t => ((string?)t.Name, (string?)t.Type.Name, t.Bytes)));
        Assert.Equal("Q5_K", file.Tensors.Single(t => t.Name == "blk.0.ssm_in.weight").Type.Name);
        Assert.Equal("Q6_K", file.Tensors.Single(t => t.Name == "blk.1.ssm_in.weight").Type.Name);
        Assert.Contains("100 %", run.Error);
        // What the matrix lacks is said: nothing of the other layer, nor of the other kinds.
        Assert.Contains($"m.gguf says nothing of token_embd.weight, blk.*.ssm_in.weight (2 tensors), blk.*.ssm_x.weight (2 tensors), blk.*.ssm_dt.weight (2 tensors), blk.*.ssm_out.weight (blk.1.ssm_out.weight);", run.Error);
        Assert.DoesNotContain("lacks", run.Error);
    }

    [Theory]
    [InlineData(2, "quantize", "M", "OUT", "Q9_9")]
    [InlineData(2, "quantize", "M", "Q4_0")]
    [InlineData(2, "quantize", "M", "OUT", "Q4_0", "--override", "ssm_in")]
    [InlineData(2, "quantize", "M", "OUT", "Q4_0", "--override", "ssm_in=Q9_9")]
    [InlineData(2, "quantize", "M", "OUT", "Q4_0", "--policy", "mine")]
    [InlineData(1, "quantize", "there-is-none.gguf", "OUT", "Q4_0")]
    [InlineData(1, "quantize", "M", "M", "Q4_0")]
    [InlineData(1, "quantize", "M", "nowhere/OUT", "Q4_0")]
    [InlineData(1, "quantize", "M", "OUT", "Q4_0", "--imatrix", "there-is-none.gguf")]
    [InlineData(1, "quantize", "M", "OUT", "Q4_0", "--imatrix", "M")]
    [InlineData(1, "quantize", "M", "OUT", "Q4_0", "--override", "attn_q=Q4_K")]
    [InlineData(1, "imatrix", "-m", "M", "-f", "there-is-none.txt", "-o", "OUT")]
    public void Quantize_WhatCannotBe_EndsInASentenceAndNoFile(int code, params string[] args)
    {
        using var folder = new TemporaryFolder();
        string model = Model(folder);

        CommandLine run = CommandLine.Run([.. args.Select(arg => arg == "M" ? model : arg.EndsWith("OUT", StringComparison.Ordinal) ? folder[arg] : arg)]);

        Assert.Equal(code, run.Code);
        Assert.Empty(run.Output);
        Assert.InRange(run.ErrorLines.Length, 1, 3);
        Assert.Single(folder.Files);
    }

    [Fact]
    public void Quantize_ImatrixWithMoreThanTheModel_NamesWhatItLacks()
    {
        using var folder = new TemporaryFolder();
        string model = Model(folder);
        var matrix = new ImportanceMatrix("made");
        foreach (string name in (string[])["blk.0.ssm_out.weight", "blk.7.ssm_out.weight", "blk.8.ssm_out.weight", "other.weight"])
            matrix.Add(name, [.. Enumerable.Repeat(1f, 512)], 64);
        matrix.Write(folder["m.gguf"]);

        CommandLine run = CommandLine.Run(["quantize", model, folder["out.gguf"], "Q4_0", "--imatrix", folder["m.gguf"]]);

        Assert.Equal(0, run.Code);
        Assert.Contains("m.gguf has entries for blk.*.ssm_out.weight (2 tensors), other.weight, which the model lacks;", run.Error);
    }

    [Fact]
    public void Quantize_EntriesOfZerosAlone_AreToldAndAsGoodAsNone()
    {
        using var folder = new TemporaryFolder();
        string model = Model(folder);
        var matrix = new ImportanceMatrix("made");
        matrix.Add("blk.0.ssm_out.weight", new float[512], 64);
        matrix.Write(folder["zeros.m.gguf"]);
        matrix.Add("blk.1.ssm_out.weight", [.. Enumerable.Repeat(1f, 512)], 64);
        matrix.Write(folder["m.gguf"]);

        CommandLine run = CommandLine.Run(["quantize", model, folder["zeros.gguf"], "Q4_0", "--imatrix", folder["m.gguf"]]);
        CommandLine without = CommandLine.Run(["quantize", model, folder["none.gguf"], "Q4_0"]);

        CommandLine nothing = CommandLine.Run(["quantize", model, folder["no.gguf"], "Q4_0", "--imatrix", folder["zeros.m.gguf"]]);

        Assert.Equal((0, 0, 1), (run.Code, without.Code, nothing.Code));
        Assert.Contains("zeros alone", nothing.Error);
        Assert.Contains("m.gguf says nothing of", run.Error);
        Assert.Contains("ssm_out", run.ErrorLines.Single(line => line.Contains("says nothing of", StringComparison.Ordinal)));
        using GgufFile zeros = GgufFile.Open(folder["zeros.gguf"]), none = GgufFile.Open(folder["none.gguf"]);
        Assert.True(zeros.TryGet("blk.0.ssm_out.weight", out TensorView a) && none.TryGet("blk.0.ssm_out.weight", out TensorView b) && a.Row(0).SequenceEqual(b.Row(0)));
    }

    [Fact]
    public void Imatrix_BundledModel_WeighsEveryProjectionForQuantize()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.txt"], string.Concat(Enumerable.Repeat("Once upon a time, there was a little boy named Tim. ", 12)));

        CommandLine run = CommandLine.Run(["imatrix", "-f", folder["text.txt"], "-o", folder["m.gguf"], "-c", "32", "--chunks", "3", "--json"]);

        Assert.Equal((49, 3, 32), (run.Json().GetProperty("entries").GetInt32(), run.Json().GetProperty("chunks").GetInt32(), run.Json().GetProperty("chunk_tokens").GetInt32()));
        ImportanceMatrix matrix = ImportanceMatrix.Read(folder["m.gguf"]);
        Assert.True(matrix.TryGet("blk.3.ssm_in.weight", out float[] means));
        Assert.Equal(512, means.Length);
        Assert.InRange(means.Average(), 1e-4, 1e4);
        Assert.Equal("text.txt", matrix.Datasets.Single());
    }
}
