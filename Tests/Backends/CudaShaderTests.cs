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
        Assert.Equal(listed.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Compiled_EveryKernelFile_IsThere()
    {
        string[] sources = [.. Directory.EnumerateFiles(Path.Combine(Shaders, "cuda"), "*.cu").Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal)];
        string[] compiled = [.. Directory.EnumerateFiles(Path.Combine(Shaders, "compiled", "cuda"), "*.ptx.gz", SearchOption.AllDirectories)
            .Select(path => Path.GetFileName(path)[..^".ptx.gz".Length]).Distinct().Order(StringComparer.Ordinal)];

        Assert.Equal(sources, compiled);
    }
}
