using MambaRT.Formats;

namespace MambaRT.Chat;

/// <summary>
/// Writes conversations as the tokens that a model is to answer, by a template: what a <see cref="Serving.ModelHost"/> is started with.
/// Immutable and thread-safe. What someone says is never parsed for control tokens.
/// </summary>
public sealed class ChatPrompts
{
    private readonly ITokenizer _tokenizer;
    private readonly ChatEncoder _encoder;

    /// <summary>Makes a writer.</summary>
    /// <param name="model">Whose tokens are written.</param>
    /// <param name="template">How turns are written; null for the model's own, see <see cref="ChatTemplates.For"/>.</param>
    /// <exception cref="FormatException">The model's template is malformed.</exception>
    public ChatPrompts(Model model, ChatTemplate? template = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Template = template ?? ChatTemplates.For(model);
        _tokenizer = model.Tokenizer;
        _encoder = new ChatEncoder(_tokenizer);
    }

    /// <summary>How turns are written.</summary>
    public ChatTemplate Template { get; }

    /// <summary>Writes a conversation up to where the assistant's next turn begins. The time that a template may ask for is that of the call.</summary>
    /// <param name="messages">The turns, oldest first.</param>
    /// <param name="cancel">Ends the rendering.</param>
    /// <returns>The tokens, from the beginning of a sequence on; at least one.</returns>
    /// <exception cref="ArgumentException">A message has no role or no content.</exception>
    /// <exception cref="FormatException">The template refuses the messages, or renders them to nothing.</exception>
    /// <exception cref="NotSupportedException">The model has no vocabulary.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public int[] Encode(IReadOnlyList<ChatMessage> messages, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var said = new ChatMessage[messages.Count];
        for (int i = 0; i < said.Length; i++)
        {
            (string role, string content) = messages[i];
            if (role is null || content is null) throw new ArgumentException($"Message {i} needs a role and a content; found none.", nameof(messages));
            said[i] = new ChatMessage(role, ChatEncoder.WellFormed(content));
        }
        return _encoder.Encode(new ChatRenderer(Template, _tokenizer, _encoder).Render(said, cancel), []);
    }
}
