using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Vulkan;
using MambaRT.Backends.Reference;
using MambaRT.Extensions.AI;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>All that others may build on, types and members of the packages, stands in Data/public-api.txt, so that a change of it is seen.</summary>
public sealed class PublicSurfaceTests
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Assembly[] Packages =
        [typeof(GgufFile).Assembly, typeof(Model).Assembly, typeof(CpuBackend).Assembly, typeof(CudaBackend).Assembly, typeof(VulkanBackend).Assembly, typeof(ReferenceBackend).Assembly, typeof(BackendSelector).Assembly, typeof(ModelHostExtensions).Assembly];

    [Fact]
    public void PublicMembers_OfThePackages_AreThoseThatAreWrittenDown()
    {
        string[] written = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Data", "public-api.txt"));
        string[] found = [.. Packages.SelectMany(p => p.GetExportedTypes()).SelectMany(Lines).Order(StringComparer.Ordinal)];
        if (written.SequenceEqual(found)) return;

        string now = Path.Combine(AppContext.BaseDirectory, "public-api.txt");
        File.WriteAllLines(now, found);
        Assert.Fail($"Not written down: {string.Join("; ", found.Except(written).Take(20))}. Written down and not found: {string.Join("; ", written.Except(found).Take(20))}. " +
            $"Where that is meant, copy {now} over Tests/Data/public-api.txt.");
    }

    /// <summary>A type and what it declares for others: without accessors, and without what compilers write for records.</summary>
    private static IEnumerable<string> Lines(Type type)
    {
        yield return $"{Name(type)} {(type.IsInterface ? "interface" : type.IsEnum ? "enum" : type.IsValueType ? "struct" : type.IsSealed ? "sealed class" : "class")}";
        foreach (MemberInfo member in type.GetMembers(Declared).Where(m => !m.IsDefined(typeof(CompilerGeneratedAttribute))))
        {
            string? line = member switch
            {
                ConstructorInfo c when IsForOthers(c) => $"({Parameters(c)})",
                MethodInfo m when IsForOthers(m) && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal)) => $".{m.Name}({Parameters(m)}) {Name(m.ReturnType)}",
                PropertyInfo p when p.GetAccessors(true).Any(IsForOthers) => $".{p.Name} {{ {string.Join(' ', p.GetAccessors(true).Where(IsForOthers).Select(Accessor))} }} {Name(p.PropertyType)}",
                FieldInfo f when (f.IsPublic || f.IsFamily || f.IsFamilyOrAssembly) && !f.IsSpecialName => $".{f.Name} {Name(f.FieldType)}{(f.IsLiteral ? $" = {Text(f.GetRawConstantValue())}" : "")}",
                EventInfo e when IsForOthers(e.AddMethod!) => $".{e.Name} event {Name(e.EventHandlerType!)}",
                _ => null,
            };
            if (line is not null) yield return Name(type) + line;
        }
    }

    private static bool IsForOthers(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Accessor(MethodInfo method) =>
        method.ReturnType != typeof(void) ? "get" : method.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init" : "set";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p => $"{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? $" = {Text(p.DefaultValue)}" : "")}"));

    private static string Text(object? value) => value is null ? "null" : Convert.ToString(value, CultureInfo.InvariantCulture)!.ReplaceLineEndings("\\n");

    private static string Name(Type type) => type.ToString();

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
