namespace MambaRT.Backends.Cuda;

/// <summary>Brings what projections read to the host and shows it to an observer.</summary>
internal sealed unsafe class ActivationReader(CudaModel model, IActivationObserver observer, ArenaMemory arena)
{
    private float[] _values = [];

    /// <summary>Waits for what was put on the stream, and shows the rows that <paramref name="op"/> is about to read.</summary>
    public void Read(LinearOp op, int rows)
    {
        if (rows == 0) return;
        MatrixPointer x = arena[op.X];
        int count = (rows - 1) * x.Stride + x.Width;
        if (_values.Length < count) _values = new float[count];
        fixed (float* to = _values)
        {
            model.Stream.CopyToHost(to, x.Data, (long)count * sizeof(float), op.Name);
            model.Stream.Synchronize(op.Name);
        }
        for (int row = 0; row < rows; row++) observer.Observe(op.Weight, _values.AsSpan(row * x.Stride, x.Width));
    }
}
