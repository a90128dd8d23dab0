using System.Text;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class Utf8AssemblerTests
{
    private static readonly byte[] Mixed = [.. "aé漢😀\u0301 z"u8, 0xFF, 0xE2, 0x82, (byte)'b', 0xF0, 0x9F, 0x98, 0xC0, 0x80, 0xED, 0xA0, 0x80, 0xF5, .. "é"u8, 0xF0, 0x9F];

    [Fact]
    public void Append_CutAtEveryPairOfBytes_GivesTheTextOfTheWhole()
    {
        string whole = Encoding.UTF8.GetString(Mixed);
        for (int first = 0; first <= Mixed.Length; first++)
        {
            for (int second = first; second <= Mixed.Length; second++)
            {
                Assert.Equal(whole, Assemble(Mixed[..first], Mixed[first..second], Mixed[second..]));
            }
        }
    }

    [Fact]
    public void Append_ByteByByte_GivesTheTextOfTheWhole() =>
        Assert.Equal(Encoding.UTF8.GetString(Mixed), Assemble([.. Mixed.Select(value => new[] { value })]));

    [Fact]
    public void Append_RandomBytesInRandomParts_GivesTheTextOfTheWhole()
    {
        var random = new Random(3);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = [.. Enumerable.Range(0, 24).Select(_ => Mixed[random.Next(Mixed.Length)])];
            int cut = random.Next(bytes.Length);
            Assert.Equal(Encoding.UTF8.GetString(bytes), Assemble(bytes[..cut], bytes[cut..]));
        }
    }

    [Fact]
    public void Append_HalfACharacter_IsKeptBack()
    {
        var assembler = new Utf8Assembler();
        var text = new char[8];
        Assert.Equal(0, assembler.Append([0xF0, 0x9F, 0x98], text));
        Assert.Equal(2, assembler.Append([0x80], text));
        Assert.Equal("😀", new string(text, 0, 2));
        Assert.Equal(0, assembler.Flush(text));
    }

    [Fact]
    public void Append_TooLittleRoom_TakesNothing()
    {
        var assembler = new Utf8Assembler();
        Assert.Throws<ArgumentException>(() => assembler.Append([0xC3], new char[1]));
        Assert.Throws<ArgumentException>(() => assembler.Flush([]));
        Assert.Equal(0, assembler.Flush(new char[1]));
    }

    [Fact]
    public void Append_ManyTokens_AllocatesNothing()
    {
        var assembler = new Utf8Assembler();
        var text = new char[8];
        assembler.Append("é"u8, text);
        Assert.Equal(0, Allocation.OnThread(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                assembler.Append([0xE6, 0xBC], text);
                assembler.Append([0xA2, 0xFF], text);
            }
        }));
    }

    private static string Assemble(params byte[][] parts)
    {
        var assembler = new Utf8Assembler();
        var result = new StringBuilder();
        foreach (byte[] part in parts)
        {
            var text = new char[part.Length + 1];
            int count = assembler.Append(part, text);
            Assert.False(count > 0 && char.IsHighSurrogate(text[count - 1]));
            result.Append(text, 0, count);
        }
        var last = new char[1];
        return result.Append(last, 0, assembler.Flush(last)).ToString();
    }
}
