using System.Text;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Reads texts that users name or pipe in, in bounded memory.</summary>
internal static class TextFile
{
    private const int Longest = 256 << 20, BlockCharacters = 1 << 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>The file's text as UTF-8; what is not UTF-8 becomes U+FFFD.</summary>
    /// <exception cref="IOException">It cannot be read, or is too long; the message names it.</exception>
    public static string Read(string path)
    {
        switch (PathKinds.Of(path))
        {
            case PathKind.None: throw new FileNotFoundException($"There is no file '{path}'; check the path.");
            case PathKind.Folder: throw new IOException($"'{path}' is a folder; give a text file.");
            case PathKind.Pipe when !IsOwn(path): throw new IOException($"'{path}' is a named pipe, whose writer may never come; give its text to standard input instead: '< {path}'.");
            case PathKind.Device or PathKind.Socket: throw new IOException($"'{path}' is no file but a device or socket; give a text file, or the text to standard input.");
        }
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        if (file.CanSeek && file.Length > Longest) throw TooLong($"'{path}'");
        // The kernel's own files have no length, and some, as /proc/kmsg, give bytes when something happens.
        using var reader = new StreamReader(file.CanSeek && file.Length == 0 ? new PatientStream(file, path, Patience) : file, Encoding.UTF8);
        return ReadToEnd(reader, $"'{path}'");
    }

    /// <summary>Reads what is left of a text.</summary>
    /// <param name="reader">The text.</param>
    /// <param name="name">What it is called in a message.</param>
    /// <exception cref="IOException">It is too long.</exception>
    public static string ReadToEnd(TextReader reader, string name)
    {
        var text = new StringBuilder();
        char[] block = new char[BlockCharacters];
        for (int count; (count = reader.Read(block)) > 0;)
        {
            if (text.Length > Longest - count) throw TooLong(name);
            text.Append(block, 0, count);
        }
        return text.ToString();
    }

    private static IOException TooLong(string name) => new($"{name} is longer than {Show.Bytes(Longest)}, the most that is read as one text; give it in parts.");

    /// <summary>Whether a pipe has been opened for this process already, as a shell does for '&lt;(command)': such a one has or had a writer.</summary>
    private static bool IsOwn(string path) => path is "/dev/stdin" || path.StartsWith("/dev/fd/", StringComparison.Ordinal) || path.StartsWith("/proc/self/fd/", StringComparison.Ordinal);
}
