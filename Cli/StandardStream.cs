using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MambaRT.Cli;

/// <summary>Nobody reads standard output any more; the program ends quietly.</summary>
internal sealed class OutputClosedException() : IOException("Standard output was closed by its reader.");

/// <summary>
/// A standard stream as the system has it. The console's own takes a file handle more, hides a reader's end, and sends a terminal escape
/// sequences before the first byte, even where the other stream is the terminal.
/// </summary>
internal sealed class StandardStream : Stream
{
    private const int Interrupted = 4, BrokenPipe = 32;   // EINTR; EPIPE: .NET ignores SIGPIPE

    private static readonly int WouldBlock = OperatingSystem.IsLinux() ? 11 : 35;   // EAGAIN

    private readonly int _descriptor;
    private readonly Lock _lock = new();
    private readonly byte[] _piece = new byte[1 << 14];
    private readonly nint _memory;

    private StandardStream(int descriptor)
    {
        _descriptor = descriptor;
        _memory = Marshal.AllocHGlobal(_piece.Length);   // kept to the end of the process: nothing is allocated when memory is short
    }

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Standard output; throws <see cref="OutputClosedException"/> when its reader is gone.</summary>
    public static Stream Output() => OperatingSystem.IsWindows() ? Console.OpenStandardOutput() : new StandardStream(1);

    /// <summary>Standard error.</summary>
    public static Stream Error() => OperatingSystem.IsWindows() ? Console.OpenStandardError() : new StandardStream(2);

    /// <summary>Standard input; a terminal's lines are edited by the terminal, and none of its modes is touched.</summary>
    public static Stream Input() => Console.IsInputRedirected || OperatingSystem.IsWindows() ? Console.OpenStandardInput()
        : new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        lock (_lock)
        {
            for (int taken; buffer.Length > 0; buffer = buffer[taken..])
            {
                taken = Math.Min(buffer.Length, _piece.Length);
                buffer[..taken].CopyTo(_piece);
                Marshal.Copy(_piece, 0, _memory, taken);
                WriteAll(taken);
            }
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    private void WriteAll(int count)
    {
        for (int done = 0; done < count;)
        {
            nint written = Write(_descriptor, _memory + done, (nuint)(count - done));
            int error = written < 0 ? Marshal.GetLastSystemError() : 0;
            if (written >= 0) done += (int)written;
            else if (error == WouldBlock) Thread.Sleep(1);   // somebody else made the terminal or pipe so
            else if (error == BrokenPipe) throw new OutputClosedException();
            else if (error != Interrupted)
                throw new IOException($"Standard {(_descriptor == 1 ? "output" : "error")} cannot be written ({Marshal.GetPInvokeErrorMessage(error)}); free some space, or send it elsewhere.", error);
        }
    }

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(int descriptor, nint bytes, nuint count);
}
