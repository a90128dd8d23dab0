using System.Security.Cryptography;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What is committed of the GPU kernels belongs together; that the PTX is what its sources compile to is checked by Shaders/build-cuda.sh --check.</summary>
public sealed class CudaShaderTests
{
    private static readonly string Shaders = Path.Combine(AppContext.BaseDirectory, "Shaders");

    [Fact]
    public void Manifest_EverySource_HasTheHashThatItWasCompiledFrom()
    {
        string[] listed = File.ReadAllLines(Path.Combine(Shaders, "compiled", "cuda", "manifest.sha256"));
        string[] found = [.. Directory.EnumerateFiles(Path.Combine(Shaders, "cuda")).Order(StringComparer.Ordinal)
            .Select(path => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))}  {Path.GetFileName(path)}")];

        Assert.NotEmpty(found);
        string[] changed = [.. listed.Except(found).Concat(found.Except(listed)).Select(line => line.Split(' ')[^1]).Distinct()];
        Assert.True(changed.Length == 0, $"Changed since it was compiled: {string.Join(", ", changed)}. Run Shaders/build-cuda.sh.");
    }

    [Fact]
    public void Compiled_EveryKernelFile_IsThere()
    {
        string[] sources = [.. Directory.EnumerateFiles(Path.Combine(Shaders, "cuda"), "*.cu").Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal)];
        string[] compiled = [.. Directory.EnumerateFiles(Path.Combine(Shaders, "compiled", "cuda"), "*.ptx.gz", SearchOption.AllDirectories)
            .Select(path => Path.GetFileName(path)[..^".ptx.gz".Length]).Distinct().Order(StringComparer.Ordinal)];

        string[] apart = [.. sources.Except(compiled).Concat(compiled.Except(sources))];
        Assert.True(apart.Length == 0, $"A source, or what was compiled of it, is missing: {string.Join(", ", apart)}. Run Shaders/build-cuda.sh.");
    }
}
