using Microsoft.Win32.SafeHandles;

namespace MambaRT.Cli;

/// <summary>Nobody reads standard output any more; the program ends quietly.</summary>
internal sealed class OutputClosedException() : IOException("Standard output was closed by its reader.");

/// <summary>Standard output as a stream that reports a reader's end, which the console's own stream hides, and says what failed.</summary>
internal sealed class StandardOutput : Stream
{
    private const int BrokenPipe = 32;   // EPIPE; .NET ignores SIGPIPE and puts errno into HResult

    private readonly Stream _inner;

    private StandardOutput(Stream inner) => _inner = inner;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Opens descriptor 1; regular files go through the console's stream, which shares the file offset with other writers.</summary>
    public static Stream Open()
    {
        if (OperatingSystem.IsWindows()) return new StandardOutput(Console.OpenStandardOutput());
        try
        {
            var pipe = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            return new StandardOutput(pipe.CanSeek ? Console.OpenStandardOutput() : pipe);
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            return new StandardOutput(Console.OpenStandardOutput());
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _inner.Write(buffer);
        }
        catch (IOException e) when (e.HResult == BrokenPipe)
        {
            throw new OutputClosedException();
        }
        catch (IOException e)
        {
            throw new IOException($"Standard output cannot be written ({e.Message.TrimEnd('.')}); free some space, or send it elsewhere.", e);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}
