using System.Text.Json;
using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Unpacked blocks of every type that is staged against the definition in Formats: the same floats.</summary>
public sealed unsafe class StagingTests
{
    private static readonly string[] Staged = ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "TQ1_0", "TQ2_0", "MXFP4"];

    public static TheoryData<string> Types => [.. Staged];

    public static TheoryData<string> OtherTypes => [.. QuantTypes.All.Select(t => t.Name).Except(Staged)];

    [Theory]
    [MemberData(nameof(Types))]
    public void Unpack_PublishedRow_IsTheDecodedOne(string name)
    {
        using JsonDocument data = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Data", "quant", "dequant-vectors.json")));

        Check(QuantTypes.ByName(name)!, Convert.FromHexString(data.RootElement.GetProperty("types").GetProperty(name).GetProperty("raw_hex").GetString()!), rows: 1);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Unpack_RandomRows_AreTheDecodedOnes(string name)
    {
        QuantType type = QuantTypes.ByName(name)!;
        // 5 blocks of 256, or 11 of 32: the last one unpacked is then a part.
        byte[] rows = new byte[7 * type.RowBytes(type.BlockLength == 256 ? 1280 : 352)];
        new Random(17).NextBytes(rows);
        for (int block = 0; block < rows.Length; block += type.BlockBytes) Tame(type, rows.AsSpan(block));

        Check(type, rows, rows: 7);
    }

    [Fact]
    public void Unpack_EveryExponent_IsExact()
    {
        byte[] rows = new byte[256 * QuantTypes.MXFP4.BlockBytes];
        new Random(3).NextBytes(rows);
        // The largest three would make the largest level infinite.
        for (int e = 0; e < 256; e++) rows[e * QuantTypes.MXFP4.BlockBytes] = (byte)Math.Min(e, 252);

        Check(QuantTypes.MXFP4, rows, rows: 1);
    }

    [Theory]
    [MemberData(nameof(OtherTypes))]
    public void For_TypeWithBytesOfItsOwn_IsNull(string name) => Assert.Null(Staging.For(QuantTypes.ByName(name)!));

    /// <summary>No exponent is left that makes a scale infinite: its highest bit is cleared wherever one may lie.</summary>
    private static void Tame(QuantType type, Span<byte> block)
    {
        if (type == QuantTypes.MXFP4) block[0] &= 0x7f;
        for (int at = 1; at < type.BlockBytes && type != QuantTypes.MXFP4; at += 2) block[at] &= 0xbf;
    }

    private static void Check(QuantType type, byte[] bytes, int rows)
    {
        int rowBytes = bytes.Length / rows, columns = rowBytes / type.BlockBytes * type.BlockLength;
        long stride = Staging.RowBytes(columns);
        using var unpacked = new NativeBuffer(rows * stride);
        unpacked.Span<byte>(0, (int)unpacked.Bytes).Fill(0xff);   // what is not written shows
        fixed (byte* from = bytes) Staging.For(type)!.Unpack(from, rowBytes, rows, columns, (byte*)unpacked.Address);
        float[] expected = new float[columns];
        for (int r = 0; r < rows; r++)
        {
            type.DecodeRow(bytes.AsSpan(r * rowBytes, rowBytes), expected);
            for (int i = 0; i < columns; i++)
            {
                byte* block = (byte*)unpacked.Address + r * stride + i / 256 * StagedInt8.Bytes;
                float got = ((float*)(block + StagedInt8.ScalesAt))[i % 256 / 16] * (sbyte)block[i % 256];
                Assert.True(expected[i] == got, $"{type}, row {r}, value {i}: expected {expected[i]:g9}, got {got:g9}.");
            }
            for (int i = columns; i < (columns + 255) / 256 * 256; i += 16)
                Assert.Equal(0, ((float*)((byte*)unpacked.Address + r * stride + i / 256 * StagedInt8.Bytes + StagedInt8.ScalesAt))[i % 256 / 16]);
        }
    }
}
