namespace MambaRT.Backends.Cpu;

/// <summary>What the code of a selective scan depends on.</summary>
/// <param name="DState">States of a channel.</param>
/// <param name="RowsTogether">1, or <see cref="SelectiveScanCode.MostRowsTogether"/> for rows that are a multiple of it.</param>
internal readonly record struct SelectiveScanShape(int DState, int RowsTogether);
