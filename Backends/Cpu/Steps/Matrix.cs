namespace MambaRT.Backends.Cpu;

/// <summary>A float32 matrix window in the arena: row r begins at <c>Data + r·Stride</c>.</summary>
internal readonly unsafe struct Matrix(float* data, int stride, int width)
{
    public readonly float* Data = data;
    public readonly int Stride = stride;
    public readonly int Width = width;

    /// <summary>Bytes from one row to the next.</summary>
    public long RowBytes => (long)Stride * sizeof(float);

    public float* Row(int row) => Data + (long)row * Stride;
}
