using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Spaces at the markers of a conversation: put as the tokenizer's scheme says, and stripped as its tokens ask.</summary>
public class ChatSpacesTests
{
    private const string Prefix = "tokenizer.ggml.";

    [Theory]
    [InlineData(null, "1,6,2,6")]
    [InlineData("first", "1,5,2,5")]
    public void Text_AfterAMarker_HasASpaceBySchemeOnly(string? scheme, string expected)
    {
        var encoder = new ChatEncoder(Made(scheme, []));
        Assert.Equal(expected, string.Join(',', encoder.Encode([new("<s>a</s>", false), new("a", true)], [])));
        Assert.Equal([6], encoder.Encode([new("a", true)], []));
        Assert.Equal([5], encoder.Encode([new("a", false)], [new("a", true)]));
    }

    [Fact]
    public void WhiteSpace_AtAMarkerThatTakesIt_IsNoText()
    {
        var encoder = new ChatEncoder(Made("first", [2]));
        PromptPart[] begin = [new("<s>a \n</s>", false)];
        Assert.Equal([1, 5, 2, 5], encoder.Encode([.. begin, new(" ", true), new("\na", false)], []));
        Assert.Equal([5], encoder.Encode([new(" \na", false)], begin));
        Assert.Equal([6], encoder.Encode([new(" a", false)], [new("</s>", true)]));
    }

    private static ITokenizer Made(string? scheme, uint[] strips)
    {
        var metadata = new GgufMetadata("t");
        metadata.Set(Prefix + "model", "llama");
        metadata.Set(Prefix + "tokens", (string[])["<unk>", "<s>", "</s>", "\n", "\u2581", "a", "\u2581a"]);
        metadata.Set(Prefix + "token_type", (int[])[2, 3, 3, 1, 1, 1, 1]);
        metadata.Set(Prefix + "scores", (float[])[0, 0, 0, -4, -3, -2, -1]);
        if (scheme is not null) metadata.Set(Prefix + "prepend_scheme", scheme);
        metadata.Set(Prefix + "add_bos_token", false);
        if (strips.Length == 0) return Tokenizer.Create(metadata);
        metadata.Set(Prefix + "lstrip_token_ids", strips);
        metadata.Set(Prefix + "rstrip_token_ids", strips);
        return Tokenizer.Create(metadata);
    }
}
