namespace MambaRT.Backends.Cpu;

/// <summary>One of the weight rows that are read together: where it is, and which registers hold its sums.</summary>
/// <param name="Index">0 or 1.</param>
internal readonly record struct DotStream(int Index)
{
    /// <summary>A byte of the present step.</summary>
    public Mem At(int offset) => Index == 0 ? new Mem(DotCode.W, offset) : new Mem(DotCode.W, offset, DotCode.Second);

    /// <summary>The sum with activation row t.</summary>
    public Zmm Sum(int t) => new(4 * Index + t);
}
