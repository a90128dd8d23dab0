using System.Numerics;
using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>
/// Draws rows of stored blocks directly: random bits for the values, and scales chosen so that the decoded values have the standard deviation
/// asked for and a mean of zero.
/// </summary>
internal sealed class RandomBlocks
{
    /// <summary>Standard deviations of the stored integers, all equally likely: sqrt((levels² − 1) / 12).</summary>
    private const double Of16 = 4.6098, Of32 = 9.2331, Of64 = 18.4730, Of256 = 73.9;

    /// <summary>The scales of 16 or 32 values are drawn evenly from this value to twice it less one; their root mean square is about 1.53 of it.</summary>
    private const int LowScale = 32;

    private const double ScaleRms = 1.527 * LowScale;

    private readonly QuantType _type;
    private readonly RandomBits _random;
    private readonly double _deviation;
    private readonly ushort[] _table = [];

    /// <summary>Prepares to draw rows of a type.</summary>
    /// <exception cref="NotSupportedException">The type is not one that a model can be made of.</exception>
    public RandomBlocks(QuantType type, double deviation, RandomBits random)
    {
        (_type, _deviation, _random) = (type, deviation, random);
        if (type == QuantTypes.F16 || type == QuantTypes.BF16) _table = Halves(type, deviation);
        else if (!Types.Contains(type)) throw new NotSupportedException($"Rows of {type.Name} cannot be drawn; choose {string.Join(", ", Types.Select(t => t.Name))}.");
    }

    /// <summary>The types that can be drawn.</summary>
    public static IReadOnlyList<QuantType> Types { get; } =
    [
        QuantTypes.F32, QuantTypes.F16, QuantTypes.BF16, QuantTypes.Q8_0, QuantTypes.Q4_0, QuantTypes.Q5_0, QuantTypes.Q5_1,
        QuantTypes.Q4_K, QuantTypes.Q5_K, QuantTypes.Q6_K,
    ];

    /// <summary>Fills memory with whole blocks.</summary>
    public void Fill(Span<byte> blocks)
    {
        _random.Fill(blocks);
        if (_type == QuantTypes.F32) FillFloats(MemoryMarshal.Cast<byte, float>(blocks));
        else if (_table.Length > 0) FillHalves(MemoryMarshal.Cast<byte, ushort>(blocks));
        else FillScales(blocks);
    }

    /// <summary>Sixteen random bits, as a signed number, times a scale.</summary>
    private void FillFloats(Span<float> values)
    {
        float scale = (float)(_deviation * Math.Sqrt(12) / 65536);
        Span<int> bits = MemoryMarshal.Cast<float, int>(values);
        for (int i = 0; i < values.Length; i++) values[i] = ((short)bits[i] + 0.5f) * scale;
    }

    private void FillHalves(Span<ushort> values)
    {
        for (int i = 0; i < values.Length; i++) values[i] = _table[values[i] & _table.Length - 1];
    }

    /// <summary>4,096 evenly spread values, as drawing costs too much where each is rounded anew.</summary>
    private static ushort[] Halves(QuantType type, double deviation)
    {
        const int Levels = 4096;
        var table = new ushort[Levels];
        var values = new float[Levels];
        for (int i = 0; i < Levels; i++) values[i] = (float)((i - (Levels - 1) / 2.0) / Levels * Math.Sqrt(12) * deviation);
        type.EncodeRow(values, [], MemoryMarshal.AsBytes(table.AsSpan()));
        return table;
    }

    private void FillScales(Span<byte> bytes)
    {
        if (_type == QuantTypes.Q8_0)
        {
            // −128 is not what an encoder writes; the scales that this also touches are written below.
            Span<Vector<sbyte>> vectors = MemoryMarshal.Cast<byte, Vector<sbyte>>(bytes);
            foreach (ref Vector<sbyte> v in vectors) v = Vector.Max(v, new Vector<sbyte>(-127));
            foreach (ref byte b in bytes[(vectors.Length * Vector<sbyte>.Count)..])
                if (b == 128) b = 129;
            FillSigned(MemoryMarshal.Cast<byte, Q8_0Block>(bytes), _deviation / Of256);
        }
        else if (_type == QuantTypes.Q4_0) FillSigned(MemoryMarshal.Cast<byte, Q4_0Block>(bytes), _deviation / Of16);
        else if (_type == QuantTypes.Q5_0) FillSigned(MemoryMarshal.Cast<byte, Q5_0Block>(bytes), _deviation / Of32);
        else if (_type == QuantTypes.Q5_1)
            foreach (ref Q5_1Block block in MemoryMarshal.Cast<byte, Q5_1Block>(bytes)) (block.d, block.m) = Centred(_deviation / Of32, -15.5);
        else if (_type == QuantTypes.Q4_K) FillQ4_K(MemoryMarshal.Cast<byte, Q4_KBlock>(bytes));
        else if (_type == QuantTypes.Q5_K) FillQ5_K(MemoryMarshal.Cast<byte, Q5_KBlock>(bytes));
        else FillQ6_K(MemoryMarshal.Cast<byte, Q6_KBlock>(bytes));
    }

    /// <summary>Scales of either sign: the levels of these types are not centred on zero, and so their mean cancels over the blocks.</summary>
    private void FillSigned<TBlock>(Span<TBlock> blocks, double scale) where TBlock : unmanaged
    {
        Half plus = (Half)scale, minus = (Half)(-scale);
        ulong signs = 0;
        for (int i = 0; i < blocks.Length; i++)
        {
            if (i % 64 == 0) signs = _random.Next();
            // In each of these blocks the scale comes first.
            Span<byte> block = MemoryMarshal.AsBytes(blocks.Slice(i, 1));
            BitConverter.TryWriteBytes(block, (signs >> i % 64 & 1) == 0 ? plus : minus);
        }
    }

    private void FillQ4_K(Span<Q4_KBlock> blocks)
    {
        foreach (ref Q4_KBlock block in blocks)
        {
            (block.d, block.dmin) = Centred(_deviation / Of16 / ScaleRms, 7.5);
            PackScales(block.scales);
        }
    }

    private void FillQ5_K(Span<Q5_KBlock> blocks)
    {
        foreach (ref Q5_KBlock block in blocks)
        {
            (block.d, block.dmin) = Centred(_deviation / Of32 / ScaleRms, 15.5);
            PackScales(block.scales);
        }
    }

    private void FillQ6_K(Span<Q6_KBlock> blocks)
    {
        Half d = (Half)(_deviation / Of64 / ScaleRms);
        foreach (ref Q6_KBlock block in blocks)
        {
            block.d = d;
            Span<sbyte> scales = block.scales;
            foreach (ref sbyte scale in scales) scale = (sbyte)(scale < 0 ? -LowScale - (scale & LowScale - 1) : LowScale + (scale & LowScale - 1));
        }
    }

    /// <summary>A scale, and what makes the middle of the levels zero.</summary>
    private static (Half Scale, Half Minimum) Centred(double scale, double middle) => ((Half)scale, (Half)(scale * middle));

    /// <summary>Eight six-bit scales, each from 32 to 63, and minima equal to them, packed as Q4_K and Q5_K do; the random bits are there already.</summary>
    private static void PackScales(Span<byte> packed)
    {
        for (int i = 0; i < 4; i++)
        {
            int low = LowScale | packed[i] & 31, high = LowScale | packed[i + 4] & 31;
            packed[i] = packed[i + 4] = (byte)(low | high >> 4 << 6);
            packed[i + 8] = (byte)(high & 15 | (high & 15) << 4);
        }
    }
}
