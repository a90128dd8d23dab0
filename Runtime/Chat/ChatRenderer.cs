using System.Globalization;
using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>Renders a conversation by a template and tells the template's text from what was said.</summary>
/// <remarks>
/// The conversation is rendered twice: as it is, and with a placeholder for each content. Where the second explains the first - contents
/// verbatim, or trimmed as many templates do - its parts are known. A template that looks into contents does not allow that; its text is then
/// one part, from contents whose markers are defused by a zero-width space.
/// </remarks>
internal sealed class ChatRenderer(ChatTemplate template, ITokenizer tokenizer, ChatEncoder encoder)
{
    private const char Open = '\uE000', Close = '\uE001';

    private readonly string _bos = SpellingOf(tokenizer, tokenizer.Bos);
    private readonly string _eos = SpellingOf(tokenizer, tokenizer.Eos);

    /// <summary>Renders up to where the assistant's next turn begins.</summary>
    /// <exception cref="FormatException">The template refuses the messages.</exception>
    public List<PromptPart> Render(IReadOnlyList<ChatMessage> messages)
    {
        string plain = RenderText(messages);
        if (TryRenderMasked(messages) is { } masked && Align(masked, plain, messages) is { } parts) return parts;
        var defused = new ChatMessage[messages.Count];
        for (int i = 0; i < defused.Length; i++) defused[i] = messages[i] with { Content = encoder.Defuse(messages[i].Content) };
        var single = new List<PromptPart>();
        PromptPart.Append(single, new PromptPart(RenderText(defused), IsContent: false));
        return single;
    }

    private static string SpellingOf(ITokenizer tokenizer, int token) => token < 0 ? "" : tokenizer.Spelling(token);

    private string RenderText(IReadOnlyList<ChatMessage> messages) => template.Render(messages, addGenerationPrompt: true, _bos, _eos);

    private string? TryRenderMasked(IReadOnlyList<ChatMessage> messages)
    {
        var masked = new ChatMessage[messages.Count];
        for (int i = 0; i < masked.Length; i++) masked[i] = messages[i] with { Content = string.Create(CultureInfo.InvariantCulture, $"{Open}{i}{Close}") };
        try
        {
            return RenderText(masked);
        }
        catch (FormatException)
        {
            return null;   // the template looks into contents and does not like the placeholder
        }
    }

    /// <summary>Reads the plain text along the masked one; null where they differ by more than the contents.</summary>
    private static List<PromptPart>? Align(string masked, string plain, IReadOnlyList<ChatMessage> messages)
    {
        var parts = new List<PromptPart>();
        ReadOnlySpan<char> mask = masked, left = plain;
        while (true)
        {
            ReadOnlySpan<char> literal = UpToPlaceholder(mask);
            if (!left.StartsWith(literal, StringComparison.Ordinal)) return null;
            PromptPart.Append(parts, new PromptPart(literal.ToString(), IsContent: false));
            left = left[literal.Length..];
            mask = mask[literal.Length..];
            if (mask.IsEmpty) return left.IsEmpty ? parts : null;

            int close = mask.IndexOf(Close);
            if (close < 0 || !int.TryParse(mask[1..close], NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index >= messages.Count) return null;
            mask = mask[(close + 1)..];
            string content = messages[index].Content;
            if (!Continues(left, content, mask)) content = content.Trim();
            if (!left.StartsWith(content, StringComparison.Ordinal)) return null;
            PromptPart.Append(parts, new PromptPart(content, IsContent: true));
            left = left[content.Length..];
        }
    }

    private static ReadOnlySpan<char> UpToPlaceholder(ReadOnlySpan<char> mask) => mask.IndexOf(Open) is int at and >= 0 ? mask[..at] : mask;

    /// <summary>Whether the text goes on with a content and with what the template writes after it.</summary>
    private static bool Continues(ReadOnlySpan<char> text, string content, ReadOnlySpan<char> mask) =>
        text.StartsWith(content, StringComparison.Ordinal) && text[content.Length..].StartsWith(UpToPlaceholder(mask), StringComparison.Ordinal);
}
