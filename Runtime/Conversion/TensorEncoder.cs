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
    public static void Write(ITensorRows tensor, Stream stream, CancellationToken cancel)
    {
        var values = new float[tensor.Columns];
        var bytes = new byte[tensor.Type.RowBytes(tensor.Columns)];
        for (int row = 0; row < tensor.Rows; row++)
        {
            cancel.ThrowIfCancellationRequested();
            tensor.ReadRow(row, values);
            Check(tensor, values);
            tensor.Type.EncodeRow(values, [], bytes);
            stream.Write(bytes);
        }
    }

    private static void Check(ITensorRows tensor, ReadOnlySpan<float> values)
    {
        float largest = 0;
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
                throw new FormatException($"{tensor.Subject} holds {value}; every weight must be a finite number. Download or train the model again.");
            largest = Math.Max(largest, Math.Abs(value));
        }
        if (largest > LargestHalf && tensor.Type != QuantTypes.F32 && tensor.Type != QuantTypes.BF16)
            throw new FormatException($"{tensor.Subject} holds a value of magnitude {largest}, too large for {tensor.Type}; convert to F32 or BF16.");
    }
}
