using System.Runtime.InteropServices;

namespace MambaRT.Cli;

/// <summary>A file that may give nothing for ever: a wait that is too long ends in a sentence.</summary>
/// <param name="inner">The file.</param>
/// <param name="path">Its name, for the message.</param>
/// <param name="patience">How long to wait for the next byte.</param>
internal sealed class PatientStream(FileStream inner, string path, TimeSpan patience) : Stream
{
    private const int WaitBytes = 8, EventsOffset = 4, Readable = 1;   // struct pollfd; POLLIN, which is the first of its two events

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <exception cref="IOException">Nothing came in time.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (!OperatingSystem.IsWindows() && IsSilent((int)inner.SafeFileHandle.DangerousGetHandle()))
            throw new IOException($"'{path}' has given nothing for {patience.TotalSeconds:0} seconds and no end; give a text file, or the text to standard input.");
        return inner.Read(buffer);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Waits for a byte or an end; an error of asking is left to the reading.</summary>
    private bool IsSilent(int descriptor)
    {
        nint wait = Marshal.AllocHGlobal(WaitBytes);
        try
        {
            Marshal.WriteInt32(wait, descriptor);
            Marshal.WriteInt32(wait, EventsOffset, Readable);
            return Poll(wait, 1, (int)patience.TotalMilliseconds) == 0;
        }
        finally
        {
            Marshal.FreeHGlobal(wait);
        }
    }

    [DllImport("libc", EntryPoint = "poll")]
    private static extern int Poll(nint waits, nuint count, int milliseconds);
}
