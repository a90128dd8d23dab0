using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What a user says never becomes a control token, whatever characters its spelling has.</summary>
public class ChatMarkerTests
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>Sixty markers of one Chinese character each, which leave no twin for those of later ones but their first characters.</summary>
    private static readonly string[] Many = [.. Enumerable.Range(0, 60).Select(i => $"{(char)(0x4E00 + i)}")];

    [Theory]
    [InlineData("\U0001F916")]
    [InlineData("\uE123")]
    [InlineData("\u7528\u6237")]
    [InlineData("<x>")]
    public void Render_UserSpellsAMarker_IsText(string marker)
    {
        string[] tokens = ["<unk>", .. Many, marker, .. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>")];
        var metadata = new GgufMetadata("t");
        metadata.Set(Prefix + "model", "llama");
        metadata.Set(Prefix + "tokens", tokens);
        metadata.Set(Prefix + "token_type", (int[])[2, .. Enumerable.Repeat(3, Many.Length + 1), .. Enumerable.Repeat(6, 256)]);
        metadata.Set(Prefix + "scores", new float[tokens.Length]);
        metadata.Set(Prefix + "add_bos_token", false);
        metadata.Set(Prefix + "add_space_prefix", false);
        ITokenizer tokenizer = Tokenizer.Create(metadata);
        var encoder = new ChatEncoder(tokenizer);
        int control = Many.Length + 1;
        Assert.Contains(control, encoder.Encode([new PromptPart(marker, IsContent: false)], []));

        foreach (string template in (string[])["{{ messages[0].content }}", "{{ messages[0].content | upper }}", "{{ messages[0].content[:1] + messages[0].content[1:] }}"])
        {
            IReadOnlyList<PromptPart> parts = new ChatRenderer(ChatTemplate.Parse(template), tokenizer, encoder).Render([new ChatMessage("user", marker)]);
            Assert.DoesNotContain(control, encoder.Encode(parts, []));
        }
    }
}
