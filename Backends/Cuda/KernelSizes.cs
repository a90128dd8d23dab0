namespace MambaRT.Backends.Cuda;

/// <summary>Sizes of a model that a kernel has as constants: Shaders/cuda/sizes.h names them, in the same order.</summary>
internal readonly record struct KernelSizes
{
    // Of the products: the matrix, how warps share out a block's rows (Split pieces of columns, Units tiles a warp of Steps steps each, Depth steps on their
    // way at once in Rounds, PerRound units a round or Spans rounds a unit; a tile of weights in blocks is TileRows rows), and what goes before and after.
    public int Columns { get; init; }
    public int Outputs { get; init; }
    public int Warps { get; init; }
    public int Split { get; init; }
    public int Abreast { get; init; }
    public int Steps { get; init; }
    public int Units { get; init; }
    public int Depth { get; init; }
    public int PerRound { get; init; }
    public int Spans { get; init; }
    public int Rounds { get; init; }
    public int TileRows { get; init; }
    public int Sequences { get; init; }
    public int Input { get; init; }
    public int Selected { get; init; }
    public int Taps { get; init; }
    public int ConvFirst { get; init; }
    public int ConvCount { get; init; }

    // Of the scans.
    public int Channels { get; init; }
    public int Rank { get; init; }
    public int States { get; init; }
    public int Normed { get; init; }
    public int HeadDim { get; init; }
    public int HeadsOfGroup { get; init; }

    /// <summary>PTX with the sizes in the places of their names. The first line repeats them, for the emulated device.</summary>
    public string WriteInto(string ptx)
    {
        (string Name, uint Value)[] all =
        [
            (nameof(Columns), (uint)Columns), (nameof(Outputs), (uint)Outputs), (nameof(Warps), (uint)Warps), (nameof(Split), (uint)Split),
            ("SplitInverse", Inverse(Split)), (nameof(Abreast), (uint)Abreast), (nameof(Steps), (uint)Steps), (nameof(Units), (uint)Units),
            (nameof(Depth), (uint)Depth), (nameof(PerRound), (uint)PerRound), (nameof(Spans), (uint)Spans), (nameof(Rounds), (uint)Rounds), (nameof(TileRows), (uint)TileRows),
            (nameof(Sequences), (uint)Sequences),
            (nameof(Input), (uint)Input), (nameof(Selected), (uint)Selected), (nameof(Taps), (uint)Taps), (nameof(ConvFirst), (uint)ConvFirst),
            (nameof(ConvCount), (uint)ConvCount), (nameof(Channels), (uint)Channels), (nameof(Rank), (uint)Rank), (nameof(States), (uint)States),
            (nameof(Normed), (uint)Normed), (nameof(HeadDim), (uint)HeadDim), ("HeadInverse", Inverse(HeadDim)),
            (nameof(HeadsOfGroup), (uint)HeadsOfGroup), ("GroupInverse", Inverse(HeadsOfGroup)),
        ];
        foreach ((string name, uint value) in all) ptx = ptx.Replace($"SIZE_{name};", $"{value};", StringComparison.Ordinal);
        return $"// sizes {string.Join(' ', all.Select(s => s.Value))}\n{ptx}";
    }

    /// <summary>⌈2³² ÷ divisor⌉, or 0 for 1.</summary>
    private static uint Inverse(int divisor) => divisor <= 1 ? 0 : (uint)(((1L << 32) + divisor - 1) / divisor);
}
