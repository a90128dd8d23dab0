namespace MambaRT.Backends.Cuda;

/// <summary>Copies to the device by way of page-locked memory, two pieces in turn: one is filled while the other is on its way.</summary>
internal sealed unsafe class UploadRing : IDisposable
{
    /// <summary>Bytes of a piece.</summary>
    public const int PieceBytes = 16 << 20;

    private readonly CudaStream _stream;
    private readonly CudaRegisteredHostMemory[] _pieces = new CudaRegisteredHostMemory[2];
    private readonly CudaEvent[] _sent = new CudaEvent[2];
    private int _next;

    public UploadRing(CudaStream stream)
    {
        _stream = stream;
        try
        {
            for (int i = 0; i < _pieces.Length; i++)
            {
                _pieces[i] = new CudaRegisteredHostMemory(PieceBytes);
                _sent[i] = new CudaEvent();
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Fills a piece.</summary>
    /// <param name="from">First byte of the whole that is wanted.</param>
    /// <param name="piece">Where to write it.</param>
    public delegate void Fill(long from, Span<byte> piece);

    /// <summary>Sends <paramref name="bytes"/> bytes to <paramref name="to"/>, in pieces of whole <paramref name="unit"/>s.</summary>
    public void Send(ulong to, long bytes, long unit, Fill fill)
    {
        long most = Math.Max(1, PieceBytes / unit) * unit;
        if (unit > PieceBytes) throw new NotSupportedException($"A row of {unit} bytes is larger than what is sent to the device at a time, {PieceBytes}; no such model is known.");
        for (long at = 0; at < bytes; at += most, _next ^= 1)
        {
            int count = (int)Math.Min(most, bytes - at);
            _sent[_next].Synchronize();
            fill(at, _pieces[_next].Span<byte>(0, count));
            _stream.CopyToDevice(to + (ulong)at, _pieces[_next].Address, count);
            _sent[_next].Record(_stream);
        }
    }

    public void Dispose()
    {
        foreach (CudaEvent? sent in _sent) sent?.Dispose();
        foreach (CudaRegisteredHostMemory? piece in _pieces) piece?.Dispose();
    }
}
