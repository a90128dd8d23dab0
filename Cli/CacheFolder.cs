namespace MambaRT.Cli;

/// <summary>Where what can be made again is kept for the next start, as each system has a place for it.</summary>
internal static class CacheFolder
{
    private const string Own = "mambart";

    /// <summary>XDG_CACHE_HOME or ~/.cache, ~/Library/Caches, or %LOCALAPPDATA%, and a folder of our own there; null where the user has no such place.</summary>
    public static string? Path
    {
        get
        {
            if (OperatingSystem.IsWindows()) return Within(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData));
            if (OperatingSystem.IsMacOS()) return Within(Home, "Library", "Caches");
            string? given = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            return System.IO.Path.IsPathFullyQualified(given ?? "") ? Within(given!) : Within(Home, ".cache");   // qualified, so not null
        }
    }

    private static string Home => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    private static string? Within(string root, params string[] parts) => root.Length == 0 ? null : System.IO.Path.Combine([root, .. parts, Own]);
}
