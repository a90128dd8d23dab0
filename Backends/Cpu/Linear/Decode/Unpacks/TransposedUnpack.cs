namespace MambaRT.Backends.Cpu;

/// <summary>How sixteen weight rows of a quantized type become vectors of four columns, a row in each lane, and scales: one subclass a layout.</summary>
/// <remarks>
/// A block is done in steps. In a step one or two times sixteen bytes of each row are transposed, and of each transposed vector one or two parts are made:
/// all its bytes, or their low and their high halves. A step serves one or two groups of columns with a scale. zmm28 to 31 keep constants.
/// </remarks>
/// <param name="bytes">Bytes of a block.</param>
/// <param name="columns">Columns of a block.</param>
/// <param name="group">Columns that share a scale: 16 or 32.</param>
/// <param name="hasOffset">Whether the type has offsets; else its bytes are made 128 too high.</param>
internal abstract unsafe class TransposedUnpack(int bytes, int columns, int group, bool hasOffset)
{
    private static readonly Dictionary<string, TransposedUnpack> Layouts = new()
    {
        ["Q8_0"] = new TransposedBytes(),
        ["Q4_0"] = new TransposedNibbles(sizeof(Q4_0Block), Fields.OffsetOf<Q4_0Block>(b => &b->qs), levels: null),
        ["IQ4_NL"] = new TransposedNibbles(sizeof(IQ4_NLBlock), Fields.OffsetOf<IQ4_NLBlock>(b => &b->qs), IQ4_NLBlock.Levels.ToArray()),
        ["Q4_K"] = new TransposedNibbleGroups(high: false),
        ["Q5_K"] = new TransposedNibbleGroups(high: true),
        ["Q6_K"] = new TransposedSixBits(),
    };

    public int Bytes => bytes;

    public int Columns => columns;

    public int Group => group;

    public bool HasOffset => hasOffset;

    /// <summary>Steps of a block.</summary>
    public abstract int Steps { get; }

    /// <summary>Times sixteen bytes of a row in a step.</summary>
    public abstract int Chunks { get; }

    /// <summary>Parts of a transposed vector.</summary>
    public abstract int Parts { get; }

    /// <summary>Groups of a step: one for all parts, or one for each.</summary>
    public abstract int GroupsOfStep { get; }

    /// <summary>The layout of a type, or null.</summary>
    public static TransposedUnpack? For(string type) => Layouts.GetValueOrDefault(type);

    /// <summary>Sets constants, once for all blocks.</summary>
    public abstract void Prepare(Assembler a);

    /// <summary>Leaves what <see cref="TransposedDotCode.Stored"/> tells of a block. All registers but the sums and the constants may be used.</summary>
    public abstract void Scales(Assembler a, int rowBytes);

    /// <summary>The byte of the block where a chunk of a step begins.</summary>
    public abstract int BytesAt(int step, int chunk);

    /// <summary>The column of the block where a part of a chunk begins; the others follow in order.</summary>
    public abstract int ColumnAt(int step, int chunk, int part);

    /// <summary>Makes four columns of <see cref="TransposedDotCode.Raw"/> j: unsigned bytes.</summary>
    /// <returns>The register they are in: raw j itself where it is not needed any more, or one of the free ones.</returns>
    public abstract Zmm Quad(Assembler a, int step, int chunk, int part, int j);
}
