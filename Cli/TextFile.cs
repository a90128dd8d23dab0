using System.Text;

namespace MambaRT.Cli;

/// <summary>Reads text files that users name.</summary>
internal static class TextFile
{
    /// <summary>The file's text as UTF-8; what is not UTF-8 becomes U+FFFD.</summary>
    /// <exception cref="IOException">It cannot be read; the message names it.</exception>
    public static string Read(string path)
    {
        if (Directory.Exists(path)) throw new IOException($"'{path}' is a folder; give a text file.");
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file '{path}'; check the path.");
        return File.ReadAllText(path, Encoding.UTF8);
    }
}
