using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>Sums the squares of what each projection reads: an importance matrix in the making.</summary>
/// <remarks>For one model; see <see cref="ModelOptions.Observer"/>. Sums are float64, so that a long text's later tokens count like its first.</remarks>
public sealed class ImportanceCollector : IActivationObserver
{
    private readonly SortedDictionary<int, (double[] Squares, long Rows)> _sums = [];

    /// <inheritdoc/>
    public void Observe(WeightRef weight, ReadOnlySpan<float> row)
    {
        (double[] squares, long rows) = _sums.TryGetValue(weight.Index, out var entry) ? entry : (new double[row.Length], 0);
        _sums[weight.Index] = (squares, rows + 1);
        ReadOnlySpan<Vector128<float>> values = MemoryMarshal.Cast<float, Vector128<float>>(row);
        Span<Vector256<double>> sums = MemoryMarshal.Cast<double, Vector256<double>>(squares.AsSpan());
        for (int i = 0; i < values.Length; i++)
        {
            Vector256<double> wide = Vector256.Create(Vector128.WidenLower(values[i]), Vector128.WidenUpper(values[i]));
            sums[i] += wide * wide;
        }
        for (int i = values.Length * Vector128<float>.Count; i < row.Length; i++) squares[i] += (double)row[i] * row[i];
    }

    /// <summary>The importance matrix of what was seen so far.</summary>
    /// <param name="plan">The plan of the model that was run.</param>
    /// <param name="subject">What errors are about: the file it will be written to.</param>
    /// <param name="dataset">The text.</param>
    /// <param name="chunks">Chunks fed.</param>
    /// <param name="chunkTokens">Tokens in each.</param>
    /// <exception cref="FormatException">The model computed infinities or NaN.</exception>
    public ImportanceMatrix Build(Plan plan, string subject, string dataset, int chunks, int chunkTokens)
    {
        var matrix = new ImportanceMatrix(subject) { Datasets = [dataset], Chunks = chunks, ChunkTokens = chunkTokens };
        foreach (var tensor in _sums.GroupBy(entry => plan.Weights[entry.Key].Name))
        {
            float[] means = new float[plan.Weights[tensor.First().Key].TensorColumns];
            foreach ((int index, (double[] squares, long rows)) in tensor)
                for (int i = 0; i < squares.Length; i++) means[plan.Weights[index].FirstColumn + i] = (float)(squares[i] / rows);
            matrix.Add(tensor.Key, means, tensor.Max(entry => entry.Value.Rows));
        }
        return matrix;
    }
}
