namespace MambaRT.Chat;

/// <summary>Finds chat templates: of a model, or by a common name.</summary>
public static class ChatTemplates
{
    /// <summary>The template that the model's file carries (<c>tokenizer.chat_template</c>), or null.</summary>
    /// <param name="model">The model.</param>
    /// <exception cref="FormatException">The template is malformed.</exception>
    public static ChatTemplate? Of(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Metadata.TryGetString("tokenizer.chat_template") is { Length: > 0 } jinja ? ChatTemplate.Parse(jinja) : null;
    }

    /// <summary>The template that the model's file carries, or <see cref="ChatTemplate.ChatMl"/>.</summary>
    /// <inheritdoc cref="Of"/>
    public static ChatTemplate For(Model model) => Of(model) ?? ChatTemplate.ChatMl;

    /// <summary>The names that <see cref="Named"/> knows; they are llama.cpp's.</summary>
    public static IReadOnlyCollection<string> Names => KnownTemplates.All.Keys;

    /// <summary>A common template by its name, or null.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static ChatTemplate? Named(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return KnownTemplates.All.TryGetValue(name, out string? jinja) ? ChatTemplate.Parse(jinja) : null;
    }
}
