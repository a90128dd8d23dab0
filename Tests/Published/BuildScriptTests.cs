using System.Text.RegularExpressions;
using Xunit;

namespace MambaRT.Tests;

/// <summary>build.sh and build.ps1 offer the same; only one of them can be run on any one machine.</summary>
public sealed class BuildScriptTests
{
    [Fact]
    public void BuildScripts_Verbs_AreTheSame()
    {
        string[] bash = Verbs("build.sh", @"^  ([a-z]+)\) +exec dotnet ");
        string[] powerShell = Verbs("build.ps1", @"^  '([a-z]+)' +\{ dotnet ");
        Assert.Equal(["build", "test", "publish", "pack", "bench", "clean"], bash);
        Assert.Equal(bash, powerShell);
    }

    [Fact]
    public void BuildScripts_Commands_AreTheSame()
    {
        string[] bash = Verbs("build.sh", @"^  [a-z]+\) +exec (dotnet [a-z]+( [A-Za-z.]+)?)");
        string[] powerShell = Verbs("build.ps1", @"^  '[a-z]+' +\{ (dotnet [a-z]+( [A-Za-z.]+)?)");
        Assert.Equal(6, bash.Length);
        Assert.Equal(bash, powerShell);
    }

    private static string[] Verbs(string script, string pattern) =>
        [.. Regex.Matches(File.ReadAllText(Path.Combine(Root(), script)), pattern, RegexOptions.Multiline).Select(match => match.Groups[1].Value)];

    private static string Root()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "MambaRT.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException("MambaRT.sln is in no folder above the tests; run them from the source tree.");
    }
}
