using Microsoft.Extensions.AI;
using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>A request that is in a conversation: the only one until it is disposed.</summary>
internal sealed class ConversationUse(Conversations owner, Conversation conversation) : IDisposable
{
    /// <summary>What was said before.</summary>
    public IReadOnlyList<Turn> Turns => conversation.Turns;

    /// <summary>Adds what was said, and the answer.</summary>
    public void Keep(IReadOnlyList<Turn> said, string answer) => owner.Keep(conversation, [.. said, new Turn(ChatRole.Assistant.Value, answer)]);

    /// <summary>Lets the next request in.</summary>
    public void Dispose()
    {
        conversation.Gate.Release();
        owner.Leave(conversation);
    }
}
