namespace MambaRT.Formats;

/// <summary>The part of an output stream that belongs to one tensor: exactly as many bytes as announced fit.</summary>
internal sealed class WindowStream(Stream stream, string name, long bytes) : Stream
{
    private long _written;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _written;

    public override long Position { get => _written; set => throw new NotSupportedException("A tensor is written in one pass."); }

    /// <summary>Throws when bytes are missing.</summary>
    internal void EnsureFull()
    {
        if (_written != bytes) throw new InvalidOperationException($"Tensor '{name}' wrote {_written} bytes; {bytes} are needed.");
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > bytes - _written)
            throw new InvalidOperationException($"Tensor '{name}' wrote at least {_written + buffer.Length} bytes; {bytes} are needed.");
        stream.Write(buffer);
        _written += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A tensor is only written.");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A tensor is written in one pass.");

    public override void SetLength(long value) => throw new NotSupportedException("A tensor's length is fixed.");
}
