using Microsoft.Extensions.AI;
using Message = Microsoft.Extensions.AI.ChatMessage;
using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>Messages as the turns that a chat template writes.</summary>
internal static class MessageTexts
{
    /// <summary>The turns of messages.</summary>
    /// <exception cref="ArgumentException">There is none, or one is null or has no role.</exception>
    /// <exception cref="NotSupportedException">One holds what is no text.</exception>
    public static List<Turn> Of(IEnumerable<Message> messages)
    {
        var turns = new List<Turn>();
        foreach (Message message in messages)
        {
            if (message is null) throw new ArgumentException($"Message {turns.Count} is null; a message has a role and contents.", nameof(messages));
            if (message.Role.Value is null) throw new ArgumentException($"Message {turns.Count} has no role; take ChatRole.User, or one that the model's template knows.", nameof(messages));
            turns.Add(new Turn(message.Role.Value, TextOf(message, turns.Count)));
        }
        return turns.Count > 0 ? turns : throw new ArgumentException("There is no message to answer; at least one is needed.", nameof(messages));
    }

    /// <summary>What the template is given. Neighbours of one role are one turn, their texts with a line between: many templates know no others.</summary>
    public static List<Turn> Prompt(string? instructions, IReadOnlyList<Turn> before, IReadOnlyList<Turn> said)
    {
        var all = new List<Turn>(before.Count + said.Count + 1);
        if (!string.IsNullOrEmpty(instructions)) Add(new Turn(ChatRole.System.Value, instructions));
        foreach (Turn turn in before) Add(turn);
        foreach (Turn turn in said) Add(turn);
        return all;

        void Add(Turn turn)
        {
            if (all.Count > 0 && all[^1].Role == turn.Role) all[^1] = turn with { Content = $"{all[^1].Content}\n{turn.Content}" };
            else all.Add(turn);
        }
    }

    private static string TextOf(Message message, int index)
    {
        foreach (AIContent content in message.Contents)
            if (content is not (TextContent or TextReasoningContent or UsageContent))   // what a model thought, and counts, are not told it again
                throw new NotSupportedException($"Message {index} ({message.Role}) holds a {content?.GetType().Name ?? "null"}; the model reads text alone. Say it as TextContent, or leave it out.");
        return message.Text;
    }
}
