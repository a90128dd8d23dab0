namespace MambaRT.Backends.Cpu;

/// <summary>What the code of decode's dot products of float types depends on.</summary>
/// <param name="Storage">How the weights are stored.</param>
/// <param name="Columns">Columns, a multiple of sixteen.</param>
/// <param name="Rows">Activation rows, 1 to <see cref="FloatDotCode.Most"/>.</param>
internal readonly record struct FloatDotShape(FloatStorage Storage, int Columns, int Rows)
{
    public int BytesPerWeight => Storage == FloatStorage.F32 ? 4 : 2;

    /// <summary>
    /// Weight rows read together. One activation row leaves the processor time to look ahead by itself: two streams of mamba-1.4b F16 were 5 % slower, and
    /// with four activation rows 19 % faster.
    /// </summary>
    public int Streams => Rows == 1 ? 1 : DotCode.Streams;

    /// <summary>Sums that the columns of a weight row take turns with, so that additions do not wait for one another.</summary>
    public int Turns => 4 / Streams;
}
