using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Encodes the rows of matrices on a fixed number of threads and writes them in order.</summary>
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

    /// <summary>Writes a matrix as another type; a matrix of that type is copied as it is.</summary>
    /// <param name="view">The matrix.</param>
    /// <param name="type">How it is stored.</param>
    /// <param name="subject">What errors are about.</param>
    /// <param name="importance">Weight of each column's squared error, or empty.</param>
    /// <param name="stream">Where the rows go.</param>
    /// <param name="report">Told how many rows are written, after each batch.</param>
    /// <exception cref="FormatException">A value is not finite, or too large for the type.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public void Write(TensorView view, QuantType type, string subject, ReadOnlySpan<float> importance, Stream stream, Action<long> report)
    {
        int rowBytes = checked((int)type.RowBytes(view.Columns)), batchRows = Math.Min(view.Rows, Math.Max(1, BatchBytes / rowBytes));
        float[] weights = importance.ToArray();
        if (_batch.Length < (long)batchRows * rowBytes) _batch = new byte[checked(batchRows * rowBytes)];
        for (int first = 0; first < view.Rows; first += batchRows)
        {
            int count = Math.Min(batchRows, view.Rows - first);
            Encode(view, type, subject, weights, first, count);
            stream.Write(_batch, 0, count * rowBytes);
            report(first + count);
        }
    }

    private void Encode(TensorView view, QuantType type, string subject, float[] weights, int first, int count)
    {
        int rowBytes = (int)type.RowBytes(view.Columns), pieces = Math.Min(count, _pieces);
        try
        {
            Parallel.For(0, pieces, _parallel, () => new float[view.Columns], (piece, _, values) =>
            {
                for (int row = (int)((long)count * piece / pieces), end = (int)((long)count * (piece + 1) / pieces); row < end; row++)
                {
                    Span<byte> to = _batch.AsSpan(row * rowBytes, rowBytes);
                    view.DecodeRow(first + row, values);
                    Check(values, type, subject);
                    if (view.Type == type) view.Row(first + row).CopyTo(to);
                    else type.EncodeRow(values, weights, to);
                }
                return values;
            }, _ => { });
        }
        catch (AggregateException e)
        {
            throw e.InnerExceptions[0];
        }
    }

    private static void Check(ReadOnlySpan<float> values, QuantType type, string subject)
    {
        float largest = 0;
        foreach (float value in values)
        {
            if (!float.IsFinite(value)) throw new FormatException($"{subject} holds {value}; every weight must be a finite number. Download or convert the model again.");
            largest = Math.Max(largest, Math.Abs(value));
        }
        if (largest > LargestHalf && type != QuantTypes.F32 && type != QuantTypes.BF16)
            throw new FormatException($"{subject} holds a value of magnitude {largest}, too large for {type}; choose F32 or BF16.");
    }
}
