using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Writes a tensor row by row as its storage type: memory for one row, whatever the tensor's size.</summary>
internal static class TensorEncoder
{
    // Every type but these keeps a scale or the value itself as a half.
    private const float LargestHalf = 65504;

    /// <summary>Encodes all rows into a stream.</summary>
    /// <exception cref="FormatException">A value is not finite, or too large for the type.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public static void Write(TensorImport tensor, Stream stream, CancellationToken cancel)
    {
        CheckpointMatrix matrix = tensor.Values;
        var values = new float[matrix.Columns];
        var bytes = new byte[tensor.Type.RowBytes(matrix.Columns)];
        for (int row = 0; row < matrix.Rows; row++)
        {
            cancel.ThrowIfCancellationRequested();
            matrix.DecodeRow(row, values);
            if (tensor.Rule.IsLogarithm) NegateExponential(values);
            Check(tensor, values);
            tensor.Type.EncodeRow(values, [], bytes);
            stream.Write(bytes);
            matrix.ReleaseAfter(row);
        }
    }

    /// <summary>A = −exp(A_log), rounded once.</summary>
    private static void NegateExponential(Span<float> values)
    {
        foreach (ref float value in values) value = (float)-Math.Exp(value);
    }

    private static void Check(TensorImport tensor, ReadOnlySpan<float> values)
    {
        float largest = 0;
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
                throw new FormatException($"{tensor.Source.File}: tensor '{tensor.Source.Name}' holds {value}{(tensor.Rule.IsLogarithm ? " after -exp" : "")}; every weight must be a finite number. Download or train the checkpoint again.");
            largest = Math.Max(largest, Math.Abs(value));
        }
        if (largest > LargestHalf && tensor.Type != QuantTypes.F32 && tensor.Type != QuantTypes.BF16)
            throw new FormatException($"{tensor.Source.File}: tensor '{tensor.Source.Name}' holds a value of magnitude {largest}, too large for {tensor.Type}; convert to F32 or BF16.");
    }
}
