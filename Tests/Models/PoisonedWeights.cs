using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A model's weights with one stored number replaced.</summary>
internal static class PoisonedWeights
{
    /// <summary>Copies the weights of a model that are in memory or in a file.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="names">The tensors.</param>
    /// <param name="tensor">The one to change.</param>
    /// <param name="row">The row to change.</param>
    /// <param name="edit">Changes the row's bytes.</param>
    public static MemoryWeights Of(IWeightSource source, IEnumerable<string> names, string tensor, int row, Action<byte[]> edit)
    {
        var weights = new MemoryWeights();
        foreach (string name in names)
        {
            if (!source.TryGet(name, out TensorView view)) throw new InvalidOperationException(name);
            byte[] bytes = view.Part(0, (int)view.Bytes).ToArray();
            if (name == tensor)
            {
                byte[] changed = view.Row(row).ToArray();
                edit(changed);
                changed.CopyTo(bytes, row * view.RowBytes);
            }
            weights.AddRaw(name, view.Type, view.Rows, view.Columns, bytes);
        }
        return weights;
    }

    /// <summary>Where in a block of a type a number of half or single precision stands, so that NaN there is NaN in the values: found by trying.</summary>
    public static IReadOnlyList<Action<byte[]>> Places(QuantType type)
    {
        if (type.Name == "F32") return [row => BitConverter.TryWriteBytes(row.AsSpan(row.Length / 8 * 4), float.NaN), row => BitConverter.TryWriteBytes(row.AsSpan(row.Length - 4), float.NegativeInfinity)];
        if (type.Name == "BF16") return [row => BitConverter.TryWriteBytes(row.AsSpan(row.Length / 4 * 2), (ushort)0x7fc1), row => BitConverter.TryWriteBytes(row.AsSpan(row.Length - 2), (ushort)0xff80)];
        if (type.Name == "F16") return [row => BitConverter.TryWriteBytes(row.AsSpan(row.Length / 4 * 2), (ushort)0x7e01), row => BitConverter.TryWriteBytes(row.AsSpan(row.Length - 2), (ushort)0xfc00)];
        if (type.Name == "MXFP4") return [row => row.AsSpan(row.Length - type.BlockBytes).Fill(0xff)];   // no halves, but the highest power times the highest level
        if (type.Name == "IQ1_M") return [row => (row[^3], row[^1]) = ((byte)(row[^3] | 0xf0), (byte)(row[^1] | 0x70))];   // the scale's upper bits, in the upper bits of words
        var places = new List<Action<byte[]>>();
        for (int at = 0; at + 1 < type.BlockBytes; at++)
        {
            byte[] block = new byte[type.BlockBytes];
            (block[at], block[at + 1]) = (0x01, 0x7e);
            float[] values = new float[type.BlockLength];
            type.DecodeRow(block, values);
            if (values.All(float.IsFinite)) continue;
            int place = at;
            ushort bits = (ushort)(places.Count % 2 == 0 ? 0x7e01 : 0xfc00);
            places.Add(row => BitConverter.TryWriteBytes(row.AsSpan(row.Length - type.BlockBytes + place), bits));
        }
        return places;
    }
}
