using System.Reflection;
using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Vulkan;
using MambaRT.Backends.Reference;
using MambaRT.Extensions.AI;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Every public type of the packages stands in Data/public-types.txt, so that a change of what others may build on is seen.</summary>
public sealed class PublicSurfaceTests
{
    private static readonly Assembly[] Packages =
        [typeof(GgufFile).Assembly, typeof(Model).Assembly, typeof(CpuBackend).Assembly, typeof(CudaBackend).Assembly, typeof(VulkanBackend).Assembly, typeof(ReferenceBackend).Assembly, typeof(BackendSelector).Assembly, typeof(ModelHostExtensions).Assembly];

    [Fact]
    public void PublicTypes_OfThePackages_AreThoseThatAreWrittenDown()
    {
        string[] written = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Data", "public-types.txt"));
        string[] found = [.. Packages.SelectMany(p => p.GetExportedTypes()).Where(t => !t.IsNested).Select(t => t.FullName!).Order(StringComparer.Ordinal)];

        Assert.True(written.SequenceEqual(found),
            $"Not written down: {string.Join(", ", found.Except(written))}. Written down and not found: {string.Join(", ", written.Except(found))}. The list is in ordinal order.");
    }

    [Fact]
    public void Packages_ForTrimmingAndNativeAot_SayThatTheyAreFit() =>
        Assert.All(Packages, package => Assert.Contains(package.GetCustomAttributes<AssemblyMetadataAttribute>(), said => said is { Key: "IsTrimmable", Value: "True" }));

    [Fact]
    public void PublicTypes_OfAPackage_LieInItsNamespaces()
    {
        foreach (Assembly package in Packages)
        {
            string name = package.GetName().Name!;
            string root = name == "MambaRT.Runtime" ? "MambaRT" : name;   // what an application starts with
            Assert.All(package.GetExportedTypes(), type => Assert.True(type.Namespace == root || type.Namespace!.StartsWith(root + ".", StringComparison.Ordinal), type.FullName));
        }
    }
}
