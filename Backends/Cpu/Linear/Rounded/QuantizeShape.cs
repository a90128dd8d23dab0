namespace MambaRT.Backends.Cpu;

/// <summary>What the code that rounds activations depends on.</summary>
/// <param name="Stride">Blocks from one row to the next.</param>
/// <param name="LanesWidth">Columns of the <see cref="RowLanes"/> that are filled too; 0: none.</param>
internal readonly record struct QuantizeShape(int Stride, int LanesWidth);
