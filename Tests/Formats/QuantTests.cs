using System.Runtime.InteropServices;
using System.Text.Json;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Decoding against published rows, the encoders, and the table of types; all enumerate <see cref="QuantTypes.All"/>.</summary>
public sealed class QuantTests
{
    public static TheoryData<string> Types => [.. QuantTypes.All.Select(type => type.Name)];

    // A float32 row is its own reference, so the vectors hold none.
    public static TheoryData<string> PackedTypes => [.. QuantTypes.All.Where(type => type != QuantTypes.F32).Select(type => type.Name)];

    public static TheoryData<string> ExactlyEncodedTypes => ["F32", "F16", "BF16", "Q8_0"];

    private static QuantType Named(string name) => QuantTypes.ByName(name) ?? throw new ArgumentException(name);

    private static JsonDocument Data(string file) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Data", "quant", file)));

    private static uint[] Bits(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, uint>(values).ToArray();

    private static byte[] Encode(QuantType type, float[] values)
    {
        byte[] row = new byte[type.RowBytes(values.Length)];
        type.EncodeRow(values, default, row);
        return row;
    }

    private static float[] Decode(QuantType type, byte[] row)
    {
        float[] values = new float[row.Length / type.BlockBytes * type.BlockLength];
        type.DecodeRow(row, values);
        return values;
    }

    private static float[] Gaussian(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
            (float)(0.02 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    [Theory, MemberData(nameof(PackedTypes))]
    public void DecodeRow_PublishedRow_MatchesBitForBit(string name)
    {
        QuantType type = Named(name);
        using JsonDocument data = Data("dequant-vectors.json");
        JsonElement vector = data.RootElement.GetProperty("types").GetProperty(name);
        float[] expected = [.. vector.GetProperty("values").EnumerateArray().Select(value => value.GetSingle())];

        float[] actual = Decode(type, Convert.FromHexString(vector.GetProperty("raw_hex").GetString()!));

        Assert.NotEmpty(expected);
        Assert.Equal(Bits(expected), Bits(actual));
    }

    [Theory, MemberData(nameof(PackedTypes))]
    public void Type_PublishedShape_Matches(string name)
    {
        QuantType type = Named(name);
        using JsonDocument data = Data("dequant-vectors.json");
        JsonElement vector = data.RootElement.GetProperty("types").GetProperty(name);

        Assert.Equal(vector.GetProperty("type_id").GetInt32(), type.GgufId);
        Assert.Equal(vector.GetProperty("block_size").GetInt32(), type.BlockLength);
        Assert.Equal(vector.GetProperty("type_size").GetInt32(), type.BlockBytes);
    }

    [Fact]
    public void DecodeRow_F32_KeepsEveryBit()
    {
        float[] values = [0f, -0f, 1f, -1.5f, float.Epsilon, float.MaxValue, float.PositiveInfinity, float.NaN];

        float[] actual = Decode(QuantTypes.F32, MemoryMarshal.AsBytes<float>(values).ToArray());

        Assert.Equal(Bits(values), Bits(actual));
    }

    [Theory, MemberData(nameof(Types))]
    public void DecodeRow_TwoBlocks_EqualsEachAlone(string name)
    {
        QuantType type = Named(name);
        byte[] row = new byte[2 * type.BlockBytes];
        new Random(11).NextBytes(row);

        float[] both = Decode(type, row);

        float[] first = Decode(type, row[..type.BlockBytes]), second = Decode(type, row[type.BlockBytes..]);
        Assert.Equal([.. Bits(first), .. Bits(second)], Bits(both));
    }

    [Theory, MemberData(nameof(Types))]
    public void DecodeRow_WrongLengths_Throws(string name)
    {
        QuantType type = Named(name);

        Assert.Throws<ArgumentException>(() => type.DecodeRow(new byte[type.BlockBytes + 1], new float[type.BlockLength]));
        Assert.Throws<ArgumentException>(() => type.DecodeRow(new byte[type.BlockBytes], new float[type.BlockLength + 1]));
        Assert.Throws<ArgumentException>(() => type.DecodeRow(new byte[2 * type.BlockBytes], new float[type.BlockLength]));
    }

    [Theory, MemberData(nameof(Types))]
    public void DecodeRow_Repeated_AllocatesNothing(string name)
    {
        QuantType type = Named(name);
        byte[] row = new byte[4 * type.BlockBytes];
        float[] values = new float[4 * type.BlockLength];
        type.DecodeRow(row, values);

        Assert.Equal(0, Allocation.OnThread(() =>
        {
            for (int i = 0; i < 100; i++) type.DecodeRow(row, values);
        }));
    }

    [Theory, MemberData(nameof(ExactlyEncodedTypes))]
    public void EncodeRow_PublishedRow_MatchesByteForByte(string name)
    {
        using JsonDocument data = Data("encode-vectors.json");
        JsonElement types = data.RootElement.GetProperty("types");
        float[] values = Decode(QuantTypes.F32, Convert.FromHexString(types.GetProperty("F32").GetString()!));

        byte[] actual = Encode(Named(name), values);

        Assert.Equal(types.GetProperty(name).GetString(), Convert.ToHexStringLower(actual));
    }

    [Theory, MemberData(nameof(ExactlyEncodedTypes))]
    public void EncodeRow_DecodedBlocks_GivesTheSameBytes(string name)
    {
        QuantType type = Named(name);
        byte[] once = Encode(type, Gaussian(4096, seed: 3));

        byte[] twice = Encode(type, Decode(type, once));

        Assert.Equal(once, twice);
    }

    [Theory, MemberData(nameof(Types))]
    public void EncodeRow_TypeThatIsOnlyRead_NamesTheWritableOnes(string name)
    {
        QuantType type = Named(name);
        if (type.CanEncode)
        {
            Assert.Equal(type.BlockBytes, Encode(type, new float[type.BlockLength]).Length);
            return;
        }

        NotSupportedException error = Assert.Throws<NotSupportedException>(() => Encode(type, new float[type.BlockLength]));

        Assert.Contains("Q8_0", error.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData("F16"), InlineData("BF16")]
    public void EncodeRow_EveryHalfWidthPattern_RoundTripsAndKeepsNaN(string name)
    {
        QuantType type = Named(name);
        ushort[] patterns = [.. Enumerable.Range(0, 65536).Select(bits => (ushort)bits)];
        float[] values = Decode(type, MemoryMarshal.AsBytes<ushort>(patterns).ToArray());

        byte[] encoded = Encode(type, values);

        float[] again = Decode(type, encoded);
        ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(encoded);
        for (int i = 0; i < patterns.Length; i++)
        {
            if (float.IsNaN(values[i])) Assert.True(float.IsNaN(again[i]), $"NaN {i:x4} became {again[i]}");
            else Assert.Equal(patterns[i], bits[i]);
        }
    }

    [Theory]
    [InlineData(0x3f808000u, 0x3f80)] // halfway, even below
    [InlineData(0x3f818000u, 0x3f82)] // halfway, even above
    [InlineData(0x3f808001u, 0x3f81)] // above halfway
    [InlineData(0x3f80ffffu, 0x3f81)]
    [InlineData(0x3f807fffu, 0x3f80)] // below halfway
    [InlineData(0x7f7fffffu, 0x7f80)] // the greatest float rounds to infinity
    [InlineData(0x7f800001u, 0x7fc0)] // a NaN whose payload would be cut off
    [InlineData(0xff800001u, 0xffc0)]
    public void EncodeRow_BF16_RoundsToNearestEvenAndQuietsNaN(uint bits, int expected)
    {
        byte[] encoded = Encode(QuantTypes.BF16, [BitConverter.UInt32BitsToSingle(bits)]);

        Assert.Equal((ushort)expected, BitConverter.ToUInt16(encoded));
    }

    [Theory]
    [InlineData(2049f, 2048f)] // halfway, even below
    [InlineData(2051f, 2052f)] // halfway, even above
    [InlineData(65519f, 65504f)]
    [InlineData(65520f, float.PositiveInfinity)]
    [InlineData(-2.9802322e-8f, -0f)] // half the least subnormal
    public void EncodeRow_F16_RoundsToNearestEven(float value, float expected)
    {
        float actual = Decode(QuantTypes.F16, Encode(QuantTypes.F16, [value]))[0];

        Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(actual));
    }

    [Fact]
    public void EncodeRow_Q8_0_ErrsByHalfAStepAtMost()
    {
        float[] values = Gaussian(32 * 256, seed: 5);
        // Powers of two times 127 as the largest make every scale exact as a half, so the bound has no other term.
        for (int i = 0; i < values.Length; i += 32) values[i] = 127f / 512;

        float[] actual = Decode(QuantTypes.Q8_0, Encode(QuantTypes.Q8_0, values));

        double worst = values.Zip(actual, (x, y) => Math.Abs((double)x - y)).Max();
        Assert.InRange(worst, 0.4 / 512, 0.5 / 512);
    }

    [Fact]
    public void EncodeRow_Q8_0_RoundsHalvesAwayFromZero()
    {
        float[] values = new float[32];
        float[] first = [127, 0.5f, -0.5f, 1.5f, -1.5f, 2.5f, -2.5f, 0.49999997f, -126.5f];
        first.CopyTo(values, 0);

        float[] actual = Decode(QuantTypes.Q8_0, Encode(QuantTypes.Q8_0, values));

        Assert.Equal([127, 1, -1, 2, -2, 3, -3, 0, -127], actual[..first.Length]);
    }

    [Theory, InlineData(0f), InlineData(-1e-39f), InlineData(float.Epsilon)]
    public void EncodeRow_Q8_0_ScaleTooSmall_GivesZeroBytes(float value)
    {
        float[] values = new float[32];
        values[7] = value;

        byte[] encoded = Encode(QuantTypes.Q8_0, values);

        Assert.All(encoded, b => Assert.Equal(0, b));
    }

    [Fact]
    public void All_IdsAndNames_AreUnique()
    {
        Assert.Equal(QuantTypes.All.Count, QuantTypes.All.Select(type => type.GgufId).Distinct().Count());
        Assert.Equal(QuantTypes.All.Count, QuantTypes.All.Select(type => type.Name.ToUpperInvariant()).Distinct().Count());
    }

    [Theory, MemberData(nameof(Types))]
    public void ByIdAndByName_EachType_FindIt(string name)
    {
        QuantType type = QuantTypes.All.Single(t => t.Name == name);

        Assert.Same(type, QuantTypes.ById(type.GgufId));
        Assert.Same(type, QuantTypes.ByName(name.ToLowerInvariant()));
    }

    [Theory, MemberData(nameof(Types))]
    public void RowBytes_Columns_CountsWholeBlocksAndRefusesPartialOnes(string name)
    {
        QuantType type = Named(name);

        Assert.Equal(3L * type.BlockBytes, type.RowBytes(3 * type.BlockLength));
        if (type.BlockLength > 1)
            Assert.Throws<ArgumentException>(() => type.RowBytes(3 * type.BlockLength + 1));
    }

    [Theory]
    [InlineData(9, "Q8_1"), InlineData(15, "Q8_K"), InlineData(24, "I8"), InlineData(25, "I16"), InlineData(26, "I32")]
    [InlineData(27, "I64"), InlineData(28, "F64"), InlineData(40, "NVFP4"), InlineData(41, "Q1_0"), InlineData(42, "Q2_0")]
    public void UnsupportedName_TypeThatIsNotDecoded_NamesIt(int ggufId, string name)
    {
        Assert.Equal(name, QuantTypes.UnsupportedName(ggufId));
        Assert.Null(QuantTypes.ById(ggufId));
        Assert.Null(QuantTypes.ByName(name));
    }

    [Theory, InlineData(-1), InlineData(4), InlineData(43), InlineData(int.MaxValue)]
    public void UnsupportedName_UnknownId_IsNull(int ggufId)
    {
        Assert.Null(QuantTypes.UnsupportedName(ggufId));
        Assert.Null(QuantTypes.ById(ggufId));
    }

    [Theory, MemberData(nameof(Types))]
    public void UnsupportedName_DecodedType_IsNull(string name) => Assert.Null(QuantTypes.UnsupportedName(Named(name).GgufId));
}
