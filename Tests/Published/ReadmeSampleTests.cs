using MambaRT.Backends.Cpu;
using MambaRT.Extensions.AI;
using MambaRT.Serving;
using Microsoft.Extensions.AI;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The C# programs in README.md compile and run: the first is docs/samples/hello, which .ci/run runs on the packages; the second is <see cref="ChatClientSample"/>.</summary>
public sealed class ReadmeSampleTests
{
    private const string Fence = "```";

    [Theory]
    [InlineData(0, "hello.cs")]
    [InlineData(1, "ChatClientSample.cs")]
    public void Readme_Sample_IsTheProgramThatIsCompiled(int index, string file)
    {
        string compiled = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Published", file));

        Assert.Equal(Normalized(compiled), Normalized(SamplesInReadme()[index]));
    }

    [Fact]
    public async Task Readme_ChatClientSample_AnswersTwice()
    {
        string model = Assert.Single(Directory.EnumerateFiles(ModelData.PathOf("models"), "*.gguf"));
        var answers = new StringWriter();

        await ChatClientSample.Talk(model, answers);

        Assert.Contains("pulls things toward each other", answers.ToString(), StringComparison.Ordinal);
        Assert.Contains("A trombone is", answers.ToString(), StringComparison.Ordinal);
    }

    /// <summary>The project's own usings hide it where the program lacks one.</summary>
    [Fact]
    public void Readme_ChatClientSample_NamesTheNamespacesOfWhatItUses()
    {
        string[] needed = [.. new[] { typeof(CpuBackend), typeof(Model), typeof(ModelHost), typeof(ModelHostExtensions), typeof(IChatClient) }
            .Select(type => $"using {type.Namespace};").Distinct().Order(StringComparer.Ordinal)];

        Assert.Equal(needed, SamplesInReadme()[1].Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("using M", StringComparison.Ordinal) && !line.Contains('=')).Order(StringComparer.Ordinal));
    }

    /// <summary>What stands between pairs of C# fences.</summary>
    private static string[] SamplesInReadme()
    {
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md"));
        string[] parts = readme.Split(Fence + "csharp");
        Assert.Equal(3, parts.Length);
        return [.. parts.Skip(1).Select(part => part[..part.IndexOf(Fence, StringComparison.Ordinal)])];
    }

    private static string Normalized(string text) => text.ReplaceLineEndings("\n").Trim();
}
