namespace MambaRT.Backends.Cpu;

/// <summary>
/// Where the values [rows, dState] of a scan lie when lanes are rows (channels): [blocks, groups of a block, dState, lanes], each block filled up with
/// zero rows to whole groups.
/// </summary>
/// <param name="Lanes">Rows of a group: 8 or 16.</param>
/// <param name="RowsPerBlock">Rows that may share a group: all of a Mamba-1 layer, those of one head of Mamba-2.</param>
/// <param name="DState">States of a row.</param>
internal readonly record struct LaneLayout(int Lanes, int RowsPerBlock, int DState)
{
    public int GroupsPerBlock => (RowsPerBlock + Lanes - 1) / Lanes;

    public long Index(int row, int n)
    {
        int block = row / RowsPerBlock, within = row % RowsPerBlock;
        return (((long)block * GroupsPerBlock + within / Lanes) * DState + n) * Lanes + within % Lanes;
    }

    /// <summary>Floats of so many rows.</summary>
    public long Floats(int rows) => (long)(rows / RowsPerBlock) * GroupsPerBlock * DState * Lanes;
}
