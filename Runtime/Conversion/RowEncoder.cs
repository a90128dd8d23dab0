using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Encodes the rows of tensors on a fixed number of threads and writes them in order.</summary>
/// <remarks>Memory: a batch of encoded rows and a row of float32 for each thread, whatever the tensor's size.</remarks>
internal sealed class RowEncoder
{
    private const int BatchBytes = 8 << 20;

    // Every type but these keeps a scale or the value itself as a half.
    private const float LargestHalf = 65504;

    /// <summary>Pieces of a batch for each thread, so that one that is held up delays the others little.</summary>
    private const int PiecesPerThread = 4;

    private readonly ParallelOptions _parallel;
    private readonly int _pieces;
    private byte[] _batch = [];

    /// <summary>Prepares to encode.</summary>
    /// <param name="threads">Threads; 0 for one per core.</param>
    /// <param name="cancel">Stops after the rows at hand.</param>
    public RowEncoder(int threads, CancellationToken cancel)
    {
        int count = threads == 0 ? Environment.ProcessorCount : threads;
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = count, CancellationToken = cancel };
        _pieces = count * PiecesPerThread;
    }

    /// <summary>Writes a tensor.</summary>
    /// <param name="tensor">Its rows, and the type they are stored as.</param>
    /// <param name="importance">Weight of each column's squared error, or empty.</param>
    /// <param name="stream">Where the rows go.</param>
    /// <param name="report">Told how many rows are written, after each batch; may be null.</param>
    /// <exception cref="FormatException">A value is not finite, or too large for the type.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public void Write(ITensorRows tensor, ReadOnlySpan<float> importance, Stream stream, Action<long>? report = null)
    {
        int rowBytes = checked((int)tensor.Type.RowBytes(tensor.Columns)), batchRows = Math.Min(tensor.Rows, Math.Max(1, BatchBytes / Math.Max(1, rowBytes)));
        float[] weights = importance.ToArray();
        if (_batch.Length < (long)batchRows * rowBytes) _batch = new byte[checked(batchRows * rowBytes)];
        for (int first = 0; first < tensor.Rows; first += batchRows)
        {
            int count = Math.Min(batchRows, tensor.Rows - first);
            Encode(tensor, rowBytes, weights, first, count);
            stream.Write(_batch, 0, count * rowBytes);
            for (int row = first; row < first + count; row++) tensor.Written(row);
            report?.Invoke(first + count);
        }
    }

    private void Encode(ITensorRows tensor, int rowBytes, float[] weights, int first, int count)
    {
        int pieces = Math.Min(count, _pieces);
        try
        {
            Parallel.For(0, pieces, _parallel, () => new float[tensor.Columns], (piece, _, values) =>
            {
                for (int row = (int)((long)count * piece / pieces), end = (int)((long)count * (piece + 1) / pieces); row < end; row++)
                {
                    Span<byte> to = _batch.AsSpan(row * rowBytes, rowBytes);
                    tensor.ReadRow(first + row, values);
                    Check(values, tensor);
                    ReadOnlySpan<byte> stored = tensor.StoredRow(first + row);
                    if (stored.IsEmpty) tensor.Type.EncodeRow(values, weights, to);
                    else stored.CopyTo(to);
                }
                return values;
            }, _ => { });
        }
        catch (AggregateException e)
        {
            throw e.InnerExceptions[0];
        }
    }

    private static void Check(ReadOnlySpan<float> values, ITensorRows tensor)
    {
        float largest = 0;
        foreach (float value in values)
        {
            if (!float.IsFinite(value)) throw new FormatException($"{tensor.Subject} holds {value}; every weight must be a finite number. Download or make the model again.");
            largest = Math.Max(largest, Math.Abs(value));
        }
        if (largest > LargestHalf && tensor.Type != QuantTypes.F32 && tensor.Type != QuantTypes.BF16)
            throw new FormatException($"{tensor.Subject} holds a value of magnitude {largest}, too large for {tensor.Type}; choose F32 or BF16.");
    }
}
