namespace MambaRT.Cli;

/// <summary>What this program is.</summary>
internal static class About
{
    /// <summary>The line of --version: the version and the instruction set it was built for.</summary>
    public static string Version => $"mambart {typeof(About).Assembly.GetName().Version?.ToString(3)} ({InstructionSet})";

    /// <summary>What the native compiler was told; the project file passes it on.</summary>
    private static string InstructionSet => AppContext.GetData("MambaRT.InstructionSet") is string { Length: > 0 } set
        ? $"built for {set}" : "compiled at run time for this processor";
}
