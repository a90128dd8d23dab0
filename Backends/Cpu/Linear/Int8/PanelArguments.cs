namespace MambaRT.Backends.Cpu;

/// <summary>What a panel product reads and writes; the code takes a pointer to it.</summary>
internal unsafe struct PanelArguments
{
    public sbyte* Values;
    public float* Scales;
    public int* Starts;
    public float* Sums;
    public byte* Panel;
    public float* PanelScales;
    public float* PanelOffsets;
    public long Tiles;
    public TileStore Store;
}
