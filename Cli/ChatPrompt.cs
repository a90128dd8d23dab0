using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Cli;

/// <summary>A prompt in the form of the conversations that a model was trained on.</summary>
internal static class ChatPrompt
{
    private const string TemplateKey = "tokenizer.chat_template";

    /// <summary>The model's template.</summary>
    /// <exception cref="FormatException">It has none.</exception>
    public static ChatTemplate Template(Model model) => model.Metadata.TryGetString(TemplateKey) is { } source
        ? ChatTemplate.Parse(source)
        : throw new FormatException($"'{model.Name}' has no chat template (key '{TemplateKey}'); continue a text with 'mambart run --raw', or choose a chat model.");

    /// <summary>One turn of a user, ready to be answered.</summary>
    public static int[] Encode(Model model, string? system, string prompt)
    {
        List<ChatMessage> messages = system is null ? [] : [new ChatMessage("system", system)];
        messages.Add(new ChatMessage("user", prompt));
        ITokenizer tokenizer = model.Tokenizer;
        string text = Template(model).Render(messages, addGenerationPrompt: true, Spelling(tokenizer, tokenizer.Bos), Spelling(tokenizer, tokenizer.Eos));
        return TextTokens.Encode(tokenizer, text);
    }

    private static string Spelling(ITokenizer tokenizer, int token) => token < 0 ? "" : tokenizer.Spelling(token);
}
