using System.Text.Json;
using MambaRT.Cli;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>convert and export, and what the other verbs make of their files.</summary>
public sealed class ConversionVerbTests
{
    [Fact]
    public void Convert_WithoutTokenizer_WarnsOnceAndRunsOnTokens()
    {
        using var folder = new TemporaryFolder();
        CommandLine convert = CommandLine.Run(["convert", ModelData.PathOf("checkpoints", "mamba"), "-o", folder["m.gguf"], "--type", "F32", "--json"]);
        Assert.Equal(0, convert.Code);
        Assert.Single(convert.ErrorLines, line => line.Contains("no vocabulary", StringComparison.Ordinal));
        Assert.Equal("mamba", convert.Json().GetProperty("architecture").GetString());
        Assert.Equal(JsonValueKind.Array, convert.Json().GetProperty("notes").ValueKind);

        Assert.Equal(0, CommandLine.Run(["logits", "-m", folder["m.gguf"], "--tokens", "1,2,3"]).Code);
        foreach (string[] verb in (string[][])[["run", "-p", "x"], ["chat"], ["tokenize", "-p", "x"], ["perplexity", "-f", ModelData.PathOf("micro", "README.md")]])
        {
            CommandLine refused = CommandLine.Run([verb[0], "-m", folder["m.gguf"], .. verb[1..]]);
            Assert.Equal((1, ""), (refused.Code, refused.Output));
            Assert.Contains("no vocabulary", Assert.Single(refused.ErrorLines), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Convert_WhatLlamaCppDoesOtherwise_IsSaid()
    {
        using var folder = new TemporaryFolder();
        CommandLine run = CommandLine.Run(["convert", ModelData.PathOf("oracles", "falcon_mamba"), "-o", folder["m.gguf"]]);
        Assert.Contains("llama.cpp refuses this file", run.Error, StringComparison.Ordinal);   // it has projection biases
        Assert.Contains("1E-06", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("llama.cpp", CommandLine.Run(["convert", ModelData.PathOf("checkpoints", "mamba2"), "-o", folder["n.gguf"]]).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Convert_ToATargetOfQuantize_ListsWhatIsStoredOtherwise()
    {
        using var folder = new TemporaryFolder();
        CommandLine run = CommandLine.Run(["convert", ModelData.PathOf("oracles", "mamba"), "-o", folder["m.gguf"], "--type", "q4_k_m", "--policy", "llama", "-t", "1", "--json"]);

        Assert.Equal(("Q4_K_M", "llama"), (run.Json().GetProperty("target").GetString(), run.Json().GetProperty("policy").GetString()));
        Assert.Contains("blk.*.ssm_in.weight (3 tensors): rows of 64 values are not whole blocks of Q4_K; stored as Q5_0.", run.Error, StringComparison.Ordinal);
        JsonElement first = run.Json().GetProperty("stored_otherwise")[0];
        Assert.Equal(("blk.0.ssm_in.weight", "Q4_K", "Q5_0"), (first.GetProperty("tensor").GetString(), first.GetProperty("asked").GetString(), first.GetProperty("type").GetString()));
        Assert.Equal("Q5_0", StoredType(folder["m.gguf"], "blk.0.ssm_in.weight"));
        foreach (string[] wrong in (string[][])[["--type", "Q9_9"], ["--policy", "mine"], ["-t", "-1"]])
        {
            CommandLine refused = CommandLine.Run(["convert", ModelData.PathOf("oracles", "mamba"), "-o", folder["n.gguf"], .. wrong]);
            Assert.Equal((2, ""), (refused.Code, refused.Output));
            Assert.Contains(wrong[0], refused.ErrorLines[0], StringComparison.Ordinal);
        }
        Assert.Equal(["m.gguf"], folder.Files);
    }

    [Fact]
    public void Convert_FolderThatIsNoMamba_ExitsWith1InOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], """{"model_type": "gpt2", "n_embd": 768}""");
        CommandLine run = CommandLine.Run(["convert", folder["."], "-o", folder["m.gguf"]]);
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("'gpt2'", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.False(File.Exists(folder["m.gguf"]));
    }

    [Fact]
    public void Export_OfABundledModel_ConvertsBackToTheSameAnswers()
    {
        using var folder = new TemporaryFolder();
        string story = ModelData.PathOf("models", DefaultModel.FileName);
        CommandLine export = CommandLine.Run(["export", story, "-o", folder["hub"], "--type", "F32", "--json"]);
        Assert.Equal(0, export.Code);
        Assert.Equal("mamba", export.Json().GetProperty("model_type").GetString());
        Assert.Contains("tokenizer.json", export.Json().GetProperty("files").EnumerateArray().Select(file => file.GetString()));
        Assert.Equal(0, CommandLine.Run(["convert", folder["hub"], "-o", folder["back.gguf"], "--type", "Q8_0"]).Code);

        string[] ask = ["run", "--raw", "-p", "Once upon a time", "-n", "12", "--temp", "0"];
        Assert.Equal(CommandLine.Run(ask).Output, CommandLine.Run([.. ask, "-m", folder["back.gguf"]]).Output);
        CommandLine again = CommandLine.Run(["export", story, "-o", folder["hub"]]);
        Assert.Equal(1, again.Code);
        Assert.Contains("--force", Assert.Single(again.ErrorLines), StringComparison.Ordinal);
    }

    private static string StoredType(string path, string tensor)
    {
        using GgufFile file = GgufFile.Open(path);
        return file.Tensors.Single(t => t.Name == tensor).Type.Name;
    }
}
