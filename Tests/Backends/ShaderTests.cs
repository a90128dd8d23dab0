using System.IO.Compression;
using System.Security.Cryptography;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What is committed of the GPU kernels belongs together; that it is what its sources compile to is checked by Shaders/build-cuda.sh and build-vulkan.sh with --check.</summary>
public sealed class ShaderTests
{
    private static readonly string Shaders = Path.Combine(AppContext.BaseDirectory, "Shaders");

    [Theory]
    [InlineData("cuda", "cuda")]
    [InlineData("glsl", "vulkan")]
    public void Manifest_EverySource_HasTheHashThatItWasCompiledFrom(string sources, string compiled)
    {
        string[] listed = File.ReadAllLines(Path.Combine(Shaders, "compiled", compiled, "manifest.sha256"));
        string[] found = [.. Directory.EnumerateFiles(Path.Combine(Shaders, sources)).Order(StringComparer.Ordinal)
            .Select(path => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))}  {Path.GetFileName(path)}")];

        Assert.NotEmpty(found);
        string[] changed = [.. listed.Except(found).Concat(found.Except(listed)).Select(line => line.Split(' ')[^1]).Distinct()];
        Assert.True(changed.Length == 0, $"Changed since it was compiled: {string.Join(", ", changed)}. Run Shaders/build-{compiled}.sh.");
    }

    /// <summary>Variants of a shader have its name in front: "linear.subgroups".</summary>
    [Theory]
    [InlineData("cuda", "*.cu", "cuda", ".ptx.br")]
    [InlineData("glsl", "*.comp", "vulkan", ".spv.br")]
    public void Compiled_EveryKernelFile_IsThere(string sources, string kernels, string compiled, string packed)
    {
        string[] names = [.. Directory.EnumerateFiles(Path.Combine(Shaders, sources), kernels).Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal)];
        string[] made = [.. Directory.EnumerateFiles(Path.Combine(Shaders, "compiled", compiled), "*" + packed, SearchOption.AllDirectories)
            .Select(path => Path.GetFileName(path).Split('.')[0]).Distinct().Order(StringComparer.Ordinal)];

        string[] apart = [.. names.Except(made).Concat(made.Except(names))];
        Assert.True(apart.Length == 0, $"A source, or what was compiled of it, is missing: {string.Join(", ", apart)}. Run Shaders/build-{compiled}.sh.");
    }

    /// <summary>Copies to shared memory that are in no group are waited for by nobody: a kernel reads what was there before, now and then.</summary>
    [Fact]
    public void Cuda_KernelsThatCopyAhead_CommitWhatTheyWaitFor()
    {
        int copying = 0;
        foreach (string path in Directory.EnumerateFiles(Path.Combine(Shaders, "compiled", "cuda"), "*.ptx.br", SearchOption.AllDirectories))
        {
            using var reader = new StreamReader(new BrotliStream(File.OpenRead(path), CompressionMode.Decompress));
            foreach (string kernel in reader.ReadToEnd().Split(".visible .entry ")[1..])
            {
                if (!kernel.Contains("cp.async.ca.", StringComparison.Ordinal) && !kernel.Contains("cp.async.cg.", StringComparison.Ordinal)) continue;
                copying++;
                Assert.True(kernel.Contains("cp.async.commit_group", StringComparison.Ordinal), $"{Path.GetFileName(path)}: {kernel[..kernel.IndexOf('(')]} copies, and commits nothing.");
            }
        }
        Assert.True(copying > 20, $"{copying} kernels copy ahead.");
    }
}
