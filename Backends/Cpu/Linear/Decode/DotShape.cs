namespace MambaRT.Backends.Cpu;

/// <summary>What the code of decode's dot products depends on.</summary>
/// <param name="Unpack">How blocks of the type become bytes and scales.</param>
/// <param name="Columns">Columns of the weights.</param>
/// <param name="Rows">Activation rows, 1 to <see cref="RowLanes.Rows"/>.</param>
internal readonly record struct DotShape(DotUnpack Unpack, int Columns, int Rows)
{
    /// <summary>Bytes from one activation row to the next.</summary>
    public int ValueStride => QuantizedRows.StrideOf(Columns) * QuantizedRows.Block;

    /// <summary>Bytes from one activation row to the next in <see cref="RowLanes"/>.</summary>
    public int LaneStride => (int)RowLanes.RowBytesOf(Columns);

    /// <summary>Where the quads of an activation row begin.</summary>
    public int QuadsAt => (int)RowLanes.QuadsAt(Columns);

    /// <summary>Bytes from one array of a row to the next.</summary>
    public int LaneArray => (int)RowLanes.LanesOf(Columns) * sizeof(float);
}
