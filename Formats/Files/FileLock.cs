using System.IO.Hashing;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MambaRT.Formats;

/// <summary>Says to other processes that somebody keeps writing a file; it ends with its holder, however that ends.</summary>
/// <remarks>
/// The file itself is replaced with every writing, so what is locked is an empty one of a name of ours beside it, which is gone afterwards;
/// and, against other names of it (hard links), what the name leads to when the lock is taken and after each <see cref="Renew"/>.
/// The lock is advice that this library follows; it binds no other program.
/// </remarks>
internal sealed partial class FileLock : IDisposable
{
    private const int Shared = 1, WithoutWaiting = 4;   // LOCK_SH, LOCK_NB
    private const int WouldBlock = 11, WouldBlockOnMac = 35, SharingViolation = unchecked((int)0x80070020);
    private const int Attempts = 5;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly string _path;
    private readonly FileStream _stream;
    private readonly SafeFileHandle? _first;   // what lay there when the lock was taken
    private SafeFileHandle? _latest;

    private FileLock(string path, FileStream stream, SafeFileHandle? first) => (_path, _stream, _first) = (path, stream, first);

    /// <summary>How to open a file that nobody else shall open meanwhile; Windows would not rename one that may not be deleted.</summary>
    internal static FileShare Alone => OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    /// <summary>Takes the lock of a file, whether it is there or not; null while another holder lives.</summary>
    /// <param name="path">The file; what is at the end of a link.</param>
    /// <exception cref="IOException">Its folder is missing or takes no files.</exception>
    public static FileLock? TryTake(string path)
    {
        string target = WholeFile.Destination(path), place = NameOf(target);
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                var stream = new FileStream(place, FileMode.OpenOrCreate, FileAccess.ReadWrite, Alone, 0, FileOptions.DeleteOnClose);
                // Its last holder may have deleted it between opening and locking.
                if ((FileIdentity.Of(stream.SafeFileHandle) is not { } held || FileIdentity.Of(place) == held) && TryHoldContents(target, out SafeFileHandle? contents))
                    return new FileLock(target, stream, contents);
                stream.Dispose();
                if (attempt == Attempts) return null;
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

    /// <summary>Locks what the name leads to now; to be called when the file was replaced.</summary>
    public void Renew()
    {
        _latest?.Dispose();
        TryHoldContents(_path, out _latest);
    }

    /// <summary>Gives the lock back.</summary>
    public void Dispose()
    {
        _latest?.Dispose();
        _first?.Dispose();
        _stream.Dispose();
    }

    /// <summary>Locks the contents of a file that is there, so that they can be read and replaced but not locked again; false where somebody has them.</summary>
    /// <remarks>
    /// Alone first, which of two takers only one gets, then shared, which leaves others the reading. That step is not atomic, but who loses
    /// the lock within it sees that. Windows knows no such lock, and would not replace a file that is open.
    /// </remarks>
    private static bool TryHoldContents(string path, out SafeFileHandle? handle)
    {
        handle = null;
        if (OperatingSystem.IsWindows() || FileIdentity.Of(path) is not { IsRegular: true }) return true;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.None);
            if (Flock((int)handle.DangerousGetHandle(), Shared | WithoutWaiting) == 0) return true;   // held here
            bool lost = Marshal.GetLastSystemError() is WouldBlock or WouldBlockOnMac;   // other errors: a disk without locks
            handle.Dispose();
            handle = null;
            return !lost;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e is not IOException io || !IsHeld(io);   // what cannot be read is refused by who reads it
        }
    }

    [LibraryImport("libc", EntryPoint = "flock")]
    private static partial int Flock(int handle, int operation);

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
