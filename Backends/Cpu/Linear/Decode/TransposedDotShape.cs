namespace MambaRT.Backends.Cpu;

/// <summary>What the code of transposed dot products depends on.</summary>
/// <param name="Unpack">How blocks of the type become bytes and scales.</param>
/// <param name="Columns">Columns of the weights, whole blocks.</param>
/// <param name="Rows">Activation rows, 1 to <see cref="RowLanes.Rows"/>.</param>
internal readonly record struct TransposedDotShape(TransposedUnpack Unpack, int Columns, int Rows)
{
    /// <summary>Blocks from one activation row to the next.</summary>
    public int BlockStride => QuantizedRows.StrideOf(Columns);

    /// <summary>Bytes from one weight row to the next.</summary>
    public int RowBytes => Columns / Unpack.Columns * Unpack.Bytes;
}
