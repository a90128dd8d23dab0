using System.Diagnostics;

namespace MambaRT.Backends.Cpu;

/// <summary>Work that must be over before the next step begins, divided into units that may run in any order on any member of the team.</summary>
internal abstract class Step
{
    /// <summary>Dotted name of the op it came from.</summary>
    public required string Name { get; init; }

    /// <summary>Units of the present batch.</summary>
    public abstract int Units { get; }

    /// <summary>Does one unit.</summary>
    /// <param name="unit">0 to Units − 1.</param>
    /// <param name="member">Who does it: names the scratch it may use.</param>
    public abstract void Run(int unit, int member);

    /// <summary>Units of the present batch where a run is advanced for a time: none takes more than about 0.2 ms of a core.</summary>
    public virtual int Slices => Units;

    /// <summary>Does one of those.</summary>
    public virtual void RunSlice(int slice, int member) => Run(slice, member);

    /// <summary>Units of <paramref name="size"/> that cover <paramref name="total"/>.</summary>
    protected static int Cover(int total, int size)
    {
        Debug.Assert(size > 0);
        return (total + size - 1) / size;
    }
}
