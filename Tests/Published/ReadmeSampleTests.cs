using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The C# program in README.md is one that compiles and runs: <see cref="EmbeddingSample"/> is that program.</summary>
public sealed class ReadmeSampleTests
{
    private const string Fence = "```";

    [Fact]
    public void Readme_Sample_IsTheProgramThatIsCompiledHere()
    {
        string compiled = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Published", "EmbeddingSample.cs"));

        Assert.Equal(Normalized(compiled), Normalized(SampleInReadme()));
    }

    [Fact]
    public async Task Readme_Sample_TellsAStory()
    {
        string model = Assert.Single(Directory.EnumerateFiles(ModelData.PathOf("models"), "*.gguf"));
        var story = new StringWriter();

        await EmbeddingSample.Tell(model, story);

        Assert.InRange(story.ToString().Trim().Length, 20, int.MaxValue);
    }

    /// <summary>The project's own usings hide it where the program lacks one.</summary>
    [Fact]
    public void Readme_Sample_NamesTheNamespacesOfWhatItUses()
    {
        string[] needed = [.. new[] { typeof(CpuBackend), typeof(Model), typeof(SamplerChain), typeof(SamplingOptions), typeof(ChatSession), typeof(ChatTemplates) }
            .Select(type => $"using {type.Namespace};").Distinct().Order(StringComparer.Ordinal)];

        Assert.Equal(needed, SampleInReadme().Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("using MambaRT", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    /// <summary>What stands between the one pair of C# fences.</summary>
    private static string SampleInReadme()
    {
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md"));
        string[] parts = readme.Split(Fence + "csharp");
        Assert.Equal(2, parts.Length);
        int end = parts[1].IndexOf(Fence, StringComparison.Ordinal);
        Assert.True(end > 0, "The C# block in README.md does not end.");
        return parts[1][..end];
    }

    private static string Normalized(string text) => text.ReplaceLineEndings("\n").Trim();
}
