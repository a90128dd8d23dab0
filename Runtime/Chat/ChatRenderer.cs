using MambaRT.Formats;

namespace MambaRT.Chat;

/// <summary>Renders a conversation by a template and tells the markers that the template wrote from all other text.</summary>
/// <remarks>
/// Contents are rendered in twins (<see cref="TemplateTwins"/>), so that whatever a template does to them, what someone said never
/// becomes a marker. The time that a template may ask for is that of the conversation's begin, so that it renders alike in each turn.
/// </remarks>
internal sealed class ChatRenderer(ChatTemplate template, ITokenizer tokenizer, ChatEncoder encoder)
{
    private readonly string _bos = SpellingOf(tokenizer, tokenizer.Bos);
    private readonly string _eos = SpellingOf(tokenizer, tokenizer.Eos);
    private readonly DateTime _now = DateTime.Now;

    /// <summary>Renders up to where the assistant's next turn begins; the parts that are no content are markers.</summary>
    /// <exception cref="FormatException">The template refuses the messages.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public List<PromptPart> Render(IReadOnlyList<ChatMessage> messages, CancellationToken cancel = default)
    {
        var twins = new TemplateTwins(encoder.MarkerCharacters, messages.Select(message => message.Content));
        return encoder.Split(template.Render(messages, addGenerationPrompt: true, _bos, _eos, twins, _now, cancel), twins);
    }

    private static string SpellingOf(ITokenizer tokenizer, int token) => token < 0 ? "" : tokenizer.Spelling(token);
}
