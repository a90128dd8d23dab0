namespace MambaRT.Backends.Cpu;

/// <summary>What a float panel product reads and writes.</summary>
internal unsafe struct FloatPanelArguments
{
    public float* X;
    public long XStride;
    public float* Panel;
    public long Tiles;
    public TileStore Store;
}
