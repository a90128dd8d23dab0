using System.Runtime.InteropServices;

namespace MambaRT.Cli;

/// <summary>A limit on the size of files (ulimit -f) as an error of the write that meets it, which names the file. Left alone its signal ends the program without a word, and with what it wrote so far.</summary>
internal static class FileLimit
{
    private const PosixSignal Exceeded = (PosixSignal)25;   // SIGXFSZ of Linux and macOS, for which .NET has no name

    /// <summary>Takes the signal from here on, until what comes back is disposed; null where there is none.</summary>
    public static IDisposable? AsError() => OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(Exceeded, context => context.Cancel = true);
}
