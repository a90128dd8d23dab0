namespace MambaRT.Backends.Cuda;

/// <summary>What a piece of a plan is given and hands on, in page-locked memory: each value with its rows as far apart as in the arena, so that it is one copy.</summary>
internal sealed unsafe class CarriedMemory : IDisposable
{
    private readonly MatrixPointer[] _in, _out;
    private readonly CudaRegisteredHostMemory? _given, _handedOn;
    private readonly float[] _carried;
    private readonly int _rows;

    public CarriedMemory(Plan plan, ArenaMemory arena, int rows)
    {
        _rows = rows;
        _in = [.. plan.CarriedIn.ToArray().Select(value => arena[value])];
        _out = [.. plan.CarriedOut.ToArray().Select(value => arena[value])];
        _carried = new float[checked(plan.CarriedOutWidth * rows)];
        _given = Room(_in);
        try
        {
            _handedOn = Room(_out);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Puts on a stream the copy of what the piece before handed on: [rows, width] of each value.</summary>
    public void Take(ReadOnlySpan<float> carried, int rows, CudaStream stream)
    {
        long at = 0;
        foreach (MatrixPointer value in _in)
        {
            for (int row = 0; row < rows; row++, carried = carried[value.Width..])
                carried[..value.Width].CopyTo(_given!.Span<float>((at + (long)row * value.Stride) * sizeof(float), value.Width));   // there where values are
            stream.CopyToDevice(value.Data, _given!.Address + at * sizeof(float), Bytes(value, rows), "the values of the layers before");
            at += (long)_rows * value.Stride;
        }
    }

    /// <summary>Puts on a stream the copy of what is handed on.</summary>
    public void Give(int rows, CudaStream stream)
    {
        long at = 0;
        foreach (MatrixPointer value in _out)
        {
            stream.CopyToHost(_handedOn!.Address + at * sizeof(float), value.Data, Bytes(value, rows), "the values for the next layers");   // there where values are
            at += (long)_rows * value.Stride;
        }
    }

    /// <summary>What was handed on, when the stream has come past <see cref="Give"/>.</summary>
    public ReadOnlySpan<float> Read(int rows)
    {
        Span<float> to = _carried;
        long at = 0;
        foreach (MatrixPointer value in _out)
        {
            for (int row = 0; row < rows; row++, to = to[value.Width..])
                _handedOn!.Span<float>((at + (long)row * value.Stride) * sizeof(float), value.Width).CopyTo(to);   // there where values are
            at += (long)_rows * value.Stride;
        }
        return _carried.AsSpan(0, _carried.Length - to.Length);
    }

    public void Dispose()
    {
        _given?.Dispose();
        _handedOn?.Dispose();
    }

    private CudaRegisteredHostMemory? Room(MatrixPointer[] values) =>
        values.Length == 0 ? null : new CudaRegisteredHostMemory(values.Sum(value => (long)_rows * value.Stride) * sizeof(float));

    private static long Bytes(MatrixPointer value, int rows) => ((rows - 1L) * value.Stride + value.Width) * sizeof(float);
}
