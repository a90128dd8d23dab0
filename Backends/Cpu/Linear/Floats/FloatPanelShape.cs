namespace MambaRT.Backends.Cpu;

/// <summary>What the code of a float panel product depends on.</summary>
/// <param name="Columns">Columns of the weights.</param>
/// <param name="PanelBytes">From one panel to the next.</param>
/// <param name="Panels">Panels, 1 or 2.</param>
/// <param name="Height">Activation rows, 1 to <see cref="TileStore.Rows"/>.</param>
internal readonly record struct FloatPanelShape(int Columns, int PanelBytes, int Panels, int Height);
