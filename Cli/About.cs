namespace MambaRT.Cli;

/// <summary>What this program is.</summary>
internal static class About
{
    /// <summary>The line of --version: the version, and the runtime and instruction set it was built for.</summary>
    public static string Version => $"mambart {BuildInfo.Version} ({BuildInfo.Runtime}, {BuildInfo.InstructionSet})";
}
