namespace MambaRT.Chat;

/// <summary>
/// Turns a conversation into the text that a model was trained on, by the Jinja that chat templates use: output, if, for, set, macros and calls,
/// namespaces, the common filters, tests and methods, with trim_blocks and lstrip_blocks on. What is unknown is an error only when a
/// conversation gets there. Immutable and thread-safe. A template is data from a model file: nesting, steps and output are bounded, and it
/// can reach nothing but the messages and the date.
/// </summary>
public sealed class ChatTemplate
{
    private const int MaxLength = 1 << 20;

    private readonly List<TemplateStatement> _body;

    private ChatTemplate(string source)
    {
        Source = source;
        _body = TemplateParser.Parse(source);
    }

    /// <summary>The ChatML template, for a model that has none of its own.</summary>
    public static ChatTemplate ChatMl { get; } = new(KnownTemplates.ChatMl);

    /// <summary>The template's text.</summary>
    public string Source { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="jinja">The template, at most a mebi of characters.</param>
    /// <exception cref="FormatException">
    /// The template is malformed; the message names the line.
    /// </exception>
    public static ChatTemplate Parse(string jinja)
    {
        ArgumentNullException.ThrowIfNull(jinja);
        if (jinja.Length > MaxLength)
            throw new FormatException($"A chat template may have at most {MaxLength} characters; found {jinja.Length}.");
        return new ChatTemplate(jinja);
    }

    /// <summary>Renders a conversation.</summary>
    /// <param name="messages">The turns, oldest first.</param>
    /// <param name="addGenerationPrompt">Whether the text ends where the assistant's next turn begins.</param>
    /// <param name="bosToken">The text of the token that begins a sequence, for templates that write it.</param>
    /// <param name="eosToken">The text of the token that ends a turn or sequence, for templates that write it.</param>
    /// <returns>The prompt; its special tokens are to be parsed as such.</returns>
    /// <exception cref="ArgumentException">A message has no role or no content.</exception>
    /// <exception cref="FormatException">
    /// The template refuses the messages, fails on them or exceeds a bound; the message names the line.
    /// </exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, string bosToken = "", string eosToken = "")
    {
        return Render(messages, addGenerationPrompt, bosToken, eosToken, null, DateTime.Now, CancellationToken.None);
    }

    /// <summary>Renders a conversation whose contents are written in twins, as the text then is.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal string Render(
        IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, string bosToken, string eosToken,
        TemplateTwins? twins, DateTime now, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ArgumentNullException.ThrowIfNull(bosToken);
        ArgumentNullException.ThrowIfNull(eosToken);
        var run = new TemplateRun(twins, now, cancel);
        var turns = new List<object?>(messages.Count);
        foreach (var (role, content) in messages)
        {
            if (role is null || content is null)
                throw new ArgumentException($"Message {turns.Count} needs a role and a content; found none.", nameof(messages));
            run.ChargeText(content.Length, 1);
            turns.Add(new OrderedDictionary<string, object?> { ["role"] = role, ["content"] = twins?.Mark(content) ?? content });
        }

        run.Set("messages", turns, 1);
        run.Set("add_generation_prompt", addGenerationPrompt, 1);
        run.Set("bos_token", bosToken, 1);
        run.Set("eos_token", eosToken, 1);
        // As transformers has it where a conversation comes without any.
        run.Set("tools", null, 1);
        run.Set("documents", null, 1);
        TemplateStatement.Execute(_body, run, 1);
        return run.Output.ToText(run, 1);
    }
}
