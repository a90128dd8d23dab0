using System.Text.Json.Nodes;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Advice in a checkpoint's JSON files that need not be sound: sampling, padding, names.</summary>
public sealed class GenerationAdviceTests
{
    private const string Sampling = "general.sampling.", Ggml = "tokenizer.ggml.";

    [Theory]
    [InlineData("top_k", "0", "top_k", 0)]
    [InlineData("top_k", "-1", "top_k", 0)]
    [InlineData("top_k", "50.0", "top_k", 50)]
    [InlineData("top_k", "5e1", "top_k", 50)]
    [InlineData("temperature", "0", "temp", 0f)]
    [InlineData("top_p", "1", "top_p", 1f)]
    [InlineData("min_p", "0.05", "min_p", 0.05f)]
    [InlineData("repetition_penalty", "1.2", "penalty_repeat", 1.2f)]
    [InlineData("penalty_repeat", "1.2", "penalty_repeat", 1.2f)]
    [InlineData("penalty_last_n", "-1", "penalty_last_n", -1)]
    [InlineData("xtc_probability", "0.5", "xtc_probability", 0.5f)]
    [InlineData("xtc_threshold", "0.25", "xtc_threshold", 0.25f)]
    [InlineData("mirostat", "2", "mirostat", 2)]
    [InlineData("mirostat_tau", "4", "mirostat_tau", 4f)]
    [InlineData("mirostat_eta", "0.2", "mirostat_eta", 0.2f)]
    [InlineData("sequence", "\"top_k;temperature\"", "sequence", "top_k;temperature")]
    public void Convert_SoundAdvice_IsWritten(string name, string value, string key, object expected)
    {
        (ConversionReport report, GgufMetadata metadata) = Convert($$"""{"do_sample": true, "{{name}}": {{value}}}""");
        Assert.True(metadata.TryGet(Sampling + key, out GgufValue found));
        Assert.Equal(expected, found.Value);
        Assert.DoesNotContain(report.Notes, note => note.Contains(name, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("top_k", "0.5")]
    [InlineData("top_k", "\"50\"")]
    [InlineData("top_k", "true")]
    [InlineData("top_k", "[50]")]
    [InlineData("top_k", "1e30")]
    [InlineData("top_k", "{}")]
    [InlineData("temperature", "-1")]
    [InlineData("temperature", "Infinity")]
    [InlineData("temperature", "NaN")]
    [InlineData("temperature", "\"hot\"")]
    [InlineData("top_p", "1.5")]
    [InlineData("top_p", "1e400")]
    [InlineData("min_p", "-0.1")]
    [InlineData("repetition_penalty", "0")]
    [InlineData("mirostat", "3")]
    [InlineData("sequence", "7")]
    [InlineData("typical_p", "0.9")]
    [InlineData("do_sample", "\"yes\"")]
    public void Convert_OddAdvice_IsDroppedWithALine(string name, string value)
    {
        (ConversionReport report, GgufMetadata metadata) = Convert($$"""{"do_sample": true, "{{name}}": {{value}}}""");
        string said = Assert.Single(report.Notes, note => note.Contains($"'{name}' of generation_config.json", StringComparison.Ordinal));
        if (said.Contains(" must ", StringComparison.Ordinal)) Assert.Contains($"left out: {name} must ", said, StringComparison.Ordinal);
        if (name == "typical_p") Assert.EndsWith("left out: GGUF has no key for it.", said, StringComparison.Ordinal);
        Assert.DoesNotContain(metadata.Entries, entry => entry.Key.StartsWith(Sampling, StringComparison.Ordinal));
    }

    [Fact]
    public void Convert_AdviceThatSaysNothing_IsNoLine()
    {
        (ConversionReport report, GgufMetadata metadata) = Convert("""{"top_k": null, "typical_p": 1.0, "no_repeat_ngram_size": 0, "epsilon_cutoff": 0.0}""");
        Assert.DoesNotContain(report.Notes, note => note.Contains("generation_config", StringComparison.Ordinal));
        Assert.DoesNotContain(metadata.Entries, entry => entry.Key.StartsWith(Sampling, StringComparison.Ordinal));
        (report, metadata) = Convert("""{"do_sample": false, "temperature": 0.5, "top_k": 5, "repetition_penalty": 1.5}""");
        Assert.Contains(report.Notes, note => note.StartsWith("The recommended 'temperature', 'top_k' of generation_config.json are left out: 'do_sample' is false", StringComparison.Ordinal));
        Assert.Equal(["penalty_repeat"], metadata.Entries.Where(entry => entry.Key.StartsWith(Sampling, StringComparison.Ordinal)).Select(entry => entry.Key[Sampling.Length..]));
    }

    [Fact]
    public void EveryKey_ThereAndBack_IsTheSame()
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        folder.Write("generation_config.json", """
            {"do_sample": true, "temperature": 0.7, "top_k": 0, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.3, "penalty_last_n": 128, "xtc_probability": 0.1,
             "xtc_threshold": 0.2, "mirostat": 1, "mirostat_tau": 3, "mirostat_eta": 0.5, "sequence": "penalties;min_p"}
            """);
        folder.Convert(name: "same");
        ModelExporter.Export(folder.Output, folder.PathOf("back"), new ExportOptions());
        ModelConverter.Convert(folder.PathOf("back"), folder.PathOf("again.gguf"), new ConversionOptions { Target = QuantTarget.ByName("F32")!, Name = "same" });
        using GgufFile file = GgufFile.Open(folder.Output);
        Assert.Equal(12, file.Metadata.Entries.Count(entry => entry.Key.StartsWith(Sampling, StringComparison.Ordinal)));
        Assert.Equal(File.ReadAllBytes(folder.Output), File.ReadAllBytes(folder.PathOf("again.gguf")));
        JsonObject written = JsonNode.Parse(File.ReadAllText(folder.PathOf("back/generation_config.json")))!.AsObject();
        Assert.Equal((1.3f, 0.7f), ((float)written["repetition_penalty"]!, (float)written["temperature"]!));
    }

    [Theory]
    [InlineData("pad_token_id", "-1", null)]
    [InlineData("pad_token_id", "512", null)]
    [InlineData("pad_token_id", "4294967295", null)]
    [InlineData("pad_token_id", "\"x\"", null)]
    [InlineData("pad_token_id", "5", 5u)]
    [InlineData("eos_token_id", "-1", null)]
    [InlineData("eos_token_id", "[-1, 5]", 5u)]
    [InlineData("eos_token_id", "[5, null]", 5u)]
    [InlineData("bos_token_id", "-1", null)]
    public void Convert_TokenThatIsNone_IsLeftOut(string name, string value, object? expected)
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        folder.Write("generation_config.json", "{}");
        folder.Set(name, JsonNode.Parse(value));
        folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        string key = Ggml + name.Replace("pad_", "padding_", StringComparison.Ordinal);
        Assert.Equal(expected, file.Metadata.TryGet(key, out GgufValue found) ? found.Value : null);
    }

    [Theory]
    [InlineData("5", 5u)]
    [InlineData("5.0", 5u)]
    [InlineData("5e0", 5u)]
    [InlineData("[5]", 5u)]
    [InlineData("-1", null)]
    [InlineData("-2.0", null)]
    [InlineData("512", null)]
    [InlineData("5.5", null)]
    [InlineData("1e30", null)]
    [InlineData("\"5\"", null)]
    [InlineData("true", null)]
    [InlineData("{}", null)]
    [InlineData("[[5]]", null)]
    public void Convert_TokenIds_AreTakenOneWayForEveryKeyAndFile(string value, object? expected)
    {
        bool isSilent = expected is not null || value.StartsWith('-');
        foreach (string name in (string[])["eos_token_id", "bos_token_id", "pad_token_id", "generation_config.json"])
        {
            bool advised = name.EndsWith(".json", StringComparison.Ordinal);
            string key = advised ? "eos_token_id" : name, file = advised ? name : "config.json";
            using var folder = new CheckpointFolder("mamba_nobias");
            foreach (string other in (string[])["eos_token_id", "bos_token_id", "pad_token_id"]) folder.Set(other, null);
            folder.Write("generation_config.json", advised ? $$"""{"{{key}}": {{value}}}""" : "{}");
            if (!advised) folder.Set(key, JsonNode.Parse(value));
            ConversionReport report = folder.Convert();
            using GgufFile made = GgufFile.Open(folder.Output);
            Assert.Equal(expected, made.Metadata.TryGet(Ggml + key.Replace("pad_", "padding_", StringComparison.Ordinal), out GgufValue found) ? found.Value : null);
            Assert.Equal(isSilent ? 0 : 1, report.Notes.Count(note => note.StartsWith($"Key '{key}' of {file} has ", StringComparison.Ordinal)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("[{\"top_k\": 5}]")]
    [InlineData("5")]
    [InlineData("null")]
    [InlineData("not JSON")]
    [InlineData("{\"top_k\": 5")]
    [InlineData("{\"top_k\": 5,}")]
    [InlineData("{\"top_k\": 5} more")]
    [InlineData("\0\0\0\0")]
    public void Convert_AdviceThatIsNoObject_IsLeftOutByItsName(string text)
    {
        (ConversionReport report, GgufMetadata metadata) = Convert(text);
        Assert.StartsWith("generation_config.json is left out", Assert.Single(report.Notes, note => note.Contains("generation_config", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.DoesNotContain(metadata.Entries, entry => entry.Key.StartsWith(Sampling, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"sequence": "\ud800"}""")]
    [InlineData("""{"\ud800": 1, "top_k": 5}""")]
    [InlineData("""{"top_\u006b": "x"}""")]
    [InlineData("""{"typical_p": 1e400, "do_sample": "\udc00"}""")]
    public void Convert_AdviceOfBrokenText_BlocksNothing(string text) => Convert(text);

    [MachineFact(Needs.Linux)]
    public void Convert_AdviceThatIsAPipe_IsLeftOutWithoutWaiting()
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        File.Delete(folder.PathOf("generation_config.json"));
        using (var make = System.Diagnostics.Process.Start("mkfifo", [folder.PathOf("generation_config.json")])) make.WaitForExit();
        Assert.Contains("is a pipe", Assert.Single(folder.Convert().Notes, note => note.Contains("generation_config", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("config.json")]
    [InlineData("generation_config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer_config.json")]
    [InlineData("tokenizer.model")]
    [InlineData("chat_template.jinja")]
    [InlineData("pytorch_model.bin")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("model-00001-of-00001.safetensors")]
    public void Convert_GitLfsPointer_IsNamedAsSuch(string name)
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        if (name is "pytorch_model.bin" or "model.safetensors.index.json" or "model-00001-of-00001.safetensors") File.Delete(folder.PathOf("model.safetensors"));
        if (name.StartsWith("model-", StringComparison.Ordinal)) folder.Write("model.safetensors.index.json", $$"""{"weight_map": {"x": "{{name}}"} }""");
        folder.Write(name, $"version https://git-lfs.github.com/spec/v1\noid sha256:{new string('a', 64)}\nsize 49088064\n");
        string message = Assert.Throws<FormatException>(() => folder.Convert()).Message;
        Assert.Contains($"{name}: this is a Git LFS pointer", message, StringComparison.Ordinal);
        Assert.Contains("git lfs pull", message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.Output));
    }

    [Theory]
    [InlineData("models--acme--mamba-1b/snapshots/0123abcd", "mamba-1b")]
    [InlineData("models--acme--mamba--1b/snapshots/0123abcd/", "mamba--1b")]
    [InlineData("models--mamba/snapshots/0123abcd", "mamba")]
    [InlineData("other/snapshots/0123abcd", "0123abcd")]
    [InlineData("models--acme--mamba-1b/0123abcd", "0123abcd")]
    public void Convert_SnapshotOfAHubsCache_IsNamedAfterTheRepository(string place, string name)
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        Directory.CreateDirectory(folder.PathOf(place));
        foreach (string file in (string[])["config.json", "model.safetensors"]) File.Move(folder.PathOf(file), Path.Combine(folder.PathOf(place), file));
        ModelConverter.Convert(folder.PathOf(place), folder.Output, new ConversionOptions());
        using GgufFile model = GgufFile.Open(folder.Output);
        Assert.Equal(name, model.Metadata.GetString("general.name"));
    }

    private static (ConversionReport Report, GgufMetadata Metadata) Convert(string generation)
    {
        using var folder = new CheckpointFolder("mamba_nobias");
        folder.Write("generation_config.json", generation);
        ConversionReport report = folder.Convert();
        using GgufFile file = GgufFile.Open(folder.Output);
        return (report, file.Metadata);
    }
}
