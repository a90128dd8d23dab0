namespace MambaRT.Backends.Cpu;

/// <summary>What the code of a pass depends on.</summary>
/// <param name="DState">States of a row.</param>
/// <param name="Groups">Groups of sixteen rows, 1 or 2.</param>
/// <param name="States">States it advances, up to <see cref="SsdScanCode.StatesTogether"/>.</param>
/// <param name="First">Whether these are the first states, whose pass reads x.</param>
/// <param name="Last">Whether these are the last states, whose pass writes y.</param>
internal readonly record struct SsdScanShape(int DState, int Groups, int States, bool First, bool Last);
