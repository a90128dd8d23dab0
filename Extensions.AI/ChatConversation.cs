using Microsoft.Extensions.AI;
using Message = Microsoft.Extensions.AI.ChatMessage;
using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>
/// A conversation that a client of <see cref="ModelHostExtensions.AsChatClient"/> keeps by its id: <c>client.GetService&lt;ChatConversation&gt;(id)</c>, null where none of that id lives,
/// and an IOException where its file cannot be read. What was said up to the moment it was asked for; later turns are in one that is asked for later.
/// </summary>
/// <remarks>Thread-safe. It holds nothing that would have to be disposed; asking for one reads its file where the program has not had the conversation yet.</remarks>
public sealed class ChatConversation
{
    private readonly HostChatClient _client;
    private readonly IReadOnlyList<Turn> _turns;

    internal ChatConversation(HostChatClient client, string id, IReadOnlyList<Turn> turns)
    {
        (_client, Id, _turns) = (client, id, turns);
        Messages = [.. turns.Select(turn => new Message(new ChatRole(turn.Role), turn.Content))];
    }

    /// <summary>Its id: <see cref="ChatOptions.ConversationId"/>.</summary>
    public string Id { get; }

    /// <summary>What was said and answered, oldest first.</summary>
    public IReadOnlyList<Message> Messages { get; }

    /// <summary>
    /// A session of the caller's in the state in which the answer to further messages begins: to look at logits, to pick tokens by oneself, to save, or to fork. The conversation does not change,
    /// and does not follow what becomes of the session.
    /// </summary>
    /// <remarks>
    /// What is not kept of states is fed as a request's prompt, beside the host's answers; the last tokens, at most <see cref="CheckpointOptions.Every"/> of them, between two of its steps. The session is
    /// one of the host's model: while the host lives it is used through <see cref="ModelHost.Use{T}"/> alone, and it takes a state of the budget until the caller disposes it.
    /// </remarks>
    /// <param name="messages">What is said next, at least one message.</param>
    /// <param name="cancel">Ends it; nothing is left behind.</param>
    /// <exception cref="ArgumentException">There is no message, or one is null or has no role.</exception>
    /// <exception cref="ObjectDisposedException">The host was disposed, also meanwhile.</exception>
    /// <exception cref="NotSupportedException">A message holds what is no text.</exception>
    /// <exception cref="StateBudgetException">There is no room for another state.</exception>
    /// <exception cref="QueueFullException">Too many requests wait.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    public Task<Session> StartSessionAsync(IEnumerable<Message> messages, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return _client.StartSessionAsync(_turns, MessageTexts.Of(messages), cancel);
    }

    /// <summary>Has the client forget the conversation, and deletes its file. It waits for the request that is in it; one that comes later, or waits already, begins a conversation anew.</summary>
    /// <remarks>
    /// States that the model's host has kept, in memory and in <see cref="CheckpointOptions.Folder"/>, belong to no conversation: several may share them. They hold tokens of what was said until they give way,
    /// or until their folder is deleted. Another program that shares the folder and has the conversation in memory goes on with it.
    /// </remarks>
    /// <param name="cancel">Ends the waiting; nothing is deleted then.</param>
    /// <returns>False where there was none of that id any more.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired.</exception>
    /// <exception cref="IOException">Its file cannot be deleted.</exception>
    public Task<bool> DeleteAsync(CancellationToken cancel = default) => _client.DeleteAsync(Id, cancel);
}
