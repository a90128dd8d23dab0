namespace MambaRT.Backends.Cpu;

/// <summary>The registers of one vector that a function is computed of.</summary>
/// <param name="X">The argument; kept.</param>
/// <param name="To">The result.</param>
/// <param name="E">Used.</param>
/// <param name="T">Used.</param>
/// <param name="Negative">Used.</param>
internal readonly record struct ElementaryRegisters(Zmm X, Zmm To, Zmm E, Zmm T, Mask Negative)
{
    /// <summary>
    /// Some vectors beside each other, with their registers from one on. A function is a chain of twenty to thirty instructions that wait for one another;
    /// of vectors that it is written for stage by stage, one has what the processor can do while another waits.
    /// </summary>
    public static ElementaryRegisters[] Several(int count, int firstRegister, int firstMask)
    {
        var all = new ElementaryRegisters[count];
        for (int i = 0; i < count; i++) all[i] = new(new(firstRegister + i), new(firstRegister + count + i), new(firstRegister + 2 * count + i), new(firstRegister + 3 * count + i), new(firstMask + i));
        return all;
    }
}
