using MambaRT.Formats;

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
internal abstract class TransposedUnpack(int bytes, int columns, int group, bool hasOffset)
{
    private static readonly Dictionary<string, TransposedUnpack> Layouts = new()
    {
        ["Q8_0"] = new TransposedBytes(),
        ["Q4_0"] = new TransposedNibbles(levels: null),
        ["IQ4_NL"] = new TransposedNibbles(IQ4_NLBlock.Levels.ToArray()),
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

/// <summary>Q8_0: signed bytes, made unsigned by adding 128.</summary>
internal sealed class TransposedBytes() : TransposedUnpack(bytes: 34, columns: 32, group: 32, hasOffset: false)
{
    private static readonly Zmm Signs = new(28);

    public override int Steps => 1;

    public override int Chunks => 2;

    public override int Parts => 1;

    public override int GroupsOfStep => 1;

    public override void Prepare(Assembler a) => a.Vpbroadcastd(Signs, a.Constant(unchecked((int)0x80808080)));

    public override void Scales(Assembler a, int rowBytes)
    {
        TransposedDotCode.LoadHalves(a, TransposedDotCode.Scale, rowBytes, 0);
        a.VmovupsStore(TransposedDotCode.Stored(0), TransposedDotCode.Scale);
    }

    public override int BytesAt(int step, int chunk) => 2 + 16 * chunk;

    public override int ColumnAt(int step, int chunk, int part) => 16 * chunk;

    public override Zmm Quad(Assembler a, int step, int chunk, int part, int j)
    {
        Zmm raw = TransposedDotCode.Raw(j);
        a.Vpxord(raw, raw, Signs);
        return raw;
    }
}

/// <summary>Four bits: the first sixteen columns in the low halves of sixteen bytes, the others in the high halves. Q4_0 is taken sixteenfold, so that its zero is 128.</summary>
/// <param name="levels">The sixteen values of IQ4_NL; null = q − 8.</param>
internal sealed class TransposedNibbles(sbyte[]? levels) : TransposedUnpack(bytes: 18, columns: 32, group: 32, hasOffset: false)
{
    private static readonly Zmm Halves = new(28), Levels = new(29);

    public override int Steps => 1;

    public override int Chunks => 1;

    public override int Parts => 2;

    public override int GroupsOfStep => 1;

    public override void Prepare(Assembler a)
    {
        a.Vpbroadcastd(Halves, a.Constant(levels == null ? unchecked((int)0xf0f0f0f0) : 0x0f0f0f0f));
        if (levels != null) DotUnpack.LoadLevels(a, Levels, levels);
    }

    public override void Scales(Assembler a, int rowBytes)
    {
        Zmm scale = TransposedDotCode.Scale;
        TransposedDotCode.LoadHalves(a, scale, rowBytes, 0);
        if (levels == null) a.Vmulps(scale, scale, a.Constant(1 / 16f));
        a.VmovupsStore(TransposedDotCode.Stored(0), scale);
    }

    public override int BytesAt(int step, int chunk) => 2;

    public override int ColumnAt(int step, int chunk, int part) => 16 * part;

    public override Zmm Quad(Assembler a, int step, int chunk, int part, int j)
    {
        Zmm quad = TransposedDotCode.Free(4 * part + j), raw = TransposedDotCode.Raw(j);
        bool shifted = part == 0 == (levels == null);   // to the upper halves, or to the lower
        if (shifted && levels == null) a.Vpslld(quad, raw, 4);
        else if (shifted) a.Vpsrld(quad, raw, 4);
        a.Vpandd(quad, shifted ? quad : raw, Halves);
        if (levels != null) a.Vpshufb(quad, Levels, quad);
        return quad;
    }
}
