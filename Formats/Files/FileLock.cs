using System.IO.Hashing;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MambaRT.Formats;

/// <summary>Says to other processes that somebody keeps writing a file; it ends with its holder, however that ends.</summary>
/// <remarks>
/// The file itself is replaced with every writing, so what is locked is an empty one of a name of ours beside it, which is gone afterwards.
/// The lock is advice that this library follows; it binds no other program.
/// </remarks>
internal sealed class FileLock : IDisposable
{
    private const int WouldBlock = 11, WouldBlockOnMac = 35, SharingViolation = unchecked((int)0x80070020);
    private const int Attempts = 5;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly FileStream _stream;

    private FileLock(FileStream stream) => _stream = stream;

    /// <summary>How to open a file that nobody else shall open meanwhile; Windows would not rename one that may not be deleted.</summary>
    internal static FileShare Alone => OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    /// <summary>Takes the lock of a file, whether it is there or not; null while another holder lives.</summary>
    /// <param name="path">The file; what is at the end of a link.</param>
    /// <exception cref="IOException">Its folder is missing or takes no files.</exception>
    public static FileLock? TryTake(string path)
    {
        string place = NameOf(WholeFile.Destination(path));
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                var stream = new FileStream(place, FileMode.OpenOrCreate, FileAccess.ReadWrite, Alone, 0, FileOptions.DeleteOnClose);
                if (FileIdentity.Of(stream.SafeFileHandle) is not { } held || FileIdentity.Of(place) == held) return new FileLock(stream);
                stream.Dispose();   // its last holder deleted it between opening and locking
            }
            catch (IOException e) when (IsHeld(e))
            {
                if (attempt == Attempts) return null;   // a process that only tries it holds it for a moment
                Thread.Sleep(Pause);
            }
            catch (Exception e) when (WholeFile.Explain(path, e) is { } explained)
            {
                throw explained;
            }
        }
    }

    /// <summary>Whether a program that shares files as .NET's do has this one open: any of ours that has a model mapped. False where it cannot be known.</summary>
    public static bool IsOpenElsewhere(string path)
    {
        if (FileIdentity.Of(path) is not { IsRegular: true }) return false;
        try
        {
            File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.None).Dispose();
            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e is IOException io && IsHeld(io);
        }
    }

    /// <summary>Gives the lock back.</summary>
    public void Dispose() => _stream.Dispose();

    /// <summary>Whether opening failed because another process has the file for itself.</summary>
    internal static bool IsHeld(IOException e) => e.HResult is WouldBlock or WouldBlockOnMac or SharingViolation;

    /// <summary>Opens a file for oneself; null where somebody has it, or where it cannot be opened.</summary>
    internal static SafeFileHandle? TryHold(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, Alone);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string NameOf(string path) => Path.Combine(Path.GetDirectoryName(path) ?? path,
        ScratchName.Of(XxHash3.HashToUInt64(MemoryMarshal.AsBytes(Path.GetFileName(path.AsSpan()))), ScratchName.Lock));
}
