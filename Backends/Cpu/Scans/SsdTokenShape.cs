namespace MambaRT.Backends.Cpu;

/// <summary>What the code of one token depends on.</summary>
/// <param name="DState">States of a row.</param>
internal readonly record struct SsdTokenShape(int DState);
