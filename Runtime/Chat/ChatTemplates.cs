namespace MambaRT.Runtime;

/// <summary>Finds the chat template of a model.</summary>
public static class ChatTemplates
{
    /// <summary>The template that the model's file carries (<c>tokenizer.chat_template</c>), or null.</summary>
    /// <param name="model">The model.</param>
    /// <exception cref="FormatException">The template is malformed, or uses a part of Jinja that is not supported.</exception>
    public static ChatTemplate? Of(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Metadata.TryGetString("tokenizer.chat_template") is { Length: > 0 } jinja ? ChatTemplate.Parse(jinja) : null;
    }

    /// <summary>The template that the model's file carries, or <see cref="ChatTemplate.ChatMl"/>.</summary>
    /// <inheritdoc cref="Of"/>
    public static ChatTemplate For(Model model) => Of(model) ?? ChatTemplate.ChatMl;
}
