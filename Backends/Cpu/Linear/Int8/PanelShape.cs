namespace MambaRT.Backends.Cpu;

/// <summary>Everything the code of a panel product depends on.</summary>
/// <param name="Columns">Columns of the weights, a multiple of 32.</param>
/// <param name="Stride">Blocks from one activation row to the next.</param>
/// <param name="Group">Columns that share a weight scale: 16 or 32.</param>
/// <param name="Lifted">Whether the bytes are 128 too high.</param>
/// <param name="HasOffset">Whether the type has offsets.</param>
/// <param name="PanelBytes">From one panel to the next.</param>
/// <param name="Panels">Panels, 1 or 2.</param>
/// <param name="Height">Activation rows, 1 to <see cref="TileStore.Rows"/>.</param>
internal readonly record struct PanelShape(int Columns, int Stride, int Group, bool Lifted, bool HasOffset, int PanelBytes, int Panels, int Height);
