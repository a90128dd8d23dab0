namespace MambaRT.Formats;

/// <summary>The small text that stands in for a large file in a git checkout made without Git LFS.</summary>
/// <remarks>Source: git-lfs, docs/spec.md; the second address is that of its first release.</remarks>
internal static class LfsPointer
{
    /// <summary>Bytes that tell a pointer from anything else.</summary>
    private const int Needed = 40;

    /// <summary>Whether a file that begins with <paramref name="start"/> is a pointer.</summary>
    public static bool Is(ReadOnlySpan<byte> start) =>
        start.StartsWith("version https://git-lfs.github.com/spec/"u8) || start.StartsWith("version https://hawser.github.com/spec/"u8);

    /// <summary>Refuses a file that is a pointer.</summary>
    /// <param name="path">A file that is there.</param>
    /// <exception cref="FormatException">It is one.</exception>
    /// <exception cref="IOException">It cannot be read, or is a pipe or device.</exception>
    public static void Refuse(string path)
    {
        if (IsAt(path)) throw Refusal(path);
    }

    /// <summary>Whether a file is a pointer.</summary>
    /// <exception cref="IOException">It cannot be read, or is a pipe or device.</exception>
    public static bool IsAt(string path)
    {
        PathKinds.RequireFile(path, "the file as the model's page has it");
        Span<byte> start = stackalloc byte[Needed];
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        return Is(start[..stream.ReadAtLeast(start, Needed, throwOnEndOfStream: false)]);
    }

    /// <summary>The sentence about a pointer.</summary>
    internal static FormatException Refusal(string path) =>
        new($"{path}: this is a Git LFS pointer and not the file itself; fetch that with 'git lfs pull', or download it from the model's page.");
}
