using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>Conversations by their ids, as many as their budget holds: the least recently used go first, and none that a request is in. Thread-safe.</summary>
/// <param name="budget">Bytes that they may take.</param>
/// <param name="folder">Keeps them beyond the program's end; null for none.</param>
internal sealed class Conversations(long budget, ConversationFolder? folder)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<Conversation>> _all = [];
    private readonly LinkedList<Conversation> _byUse = new();   // the latest last
    private long _bytes;

    /// <summary>Enters a conversation when no other request is in it, and begins it where there is none of that id.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="said">What the request will add.</param>
    /// <param name="cancel">Ends the waiting.</param>
    /// <exception cref="ArgumentException">The id is empty.</exception>
    /// <exception cref="InvalidOperationException">It would take more than the whole budget.</exception>
    public async Task<ConversationUse> EnterAsync(string id, IReadOnlyList<Turn> said, CancellationToken cancel)
    {
        if (id.Length == 0) throw new ArgumentException("ConversationId is empty; give the conversation a name, or leave the id out and send all of it.", nameof(id));
        Conversation conversation = Take(id);
        try
        {
            await conversation.Gate.WaitAsync(cancel).ConfigureAwait(false);
        }
        catch
        {
            Leave(conversation);
            throw;
        }
        var use = new ConversationUse(this, conversation);
        try
        {
            Recall(conversation);
            long bytes = conversation.BytesWith(said);
            if (bytes <= budget) return use;
            throw new InvalidOperationException($"The conversation would take {bytes} bytes of text, and all with an id may take {budget} together (ConversationBytes); begin another, or leave the id out and send all of it.");
        }
        catch
        {
            use.Dispose();
            throw;
        }
    }

    /// <summary>Adds turns to a conversation that the caller is in.</summary>
    public void Keep(Conversation conversation, IReadOnlyList<Turn> turns)
    {
        Change(conversation, () => conversation.Add(turns));
        if (folder is null) return;
        folder.Write(conversation.Id, conversation.Turns);
        conversation.WrittenAt = folder.WrittenAt(conversation.Id);
    }

    /// <summary>Notes that a request has left, or waits no longer.</summary>
    public void Leave(Conversation conversation)
    {
        lock (_gate)
        {
            if (--conversation.Users > 0) return;
            if (conversation.Bytes == 0) Forget(_all[conversation.Id]);
            else Trim();
        }
    }

    private Conversation Take(string id)
    {
        lock (_gate)
        {
            if (_all.TryGetValue(id, out LinkedListNode<Conversation>? node)) _byUse.Remove(node);
            else _all.Add(id, node = new LinkedListNode<Conversation>(new Conversation(id)));
            _byUse.AddLast(node);
            node.Value.Users++;
            return node.Value;
        }
    }

    /// <summary>Takes over what another program, or this one before it ended, said in a conversation that the caller is in.</summary>
    private void Recall(Conversation conversation)
    {
        if (folder?.WrittenAt(conversation.Id) is not { } writtenAt || writtenAt == conversation.WrittenAt) return;
        conversation.WrittenAt = writtenAt;
        if (folder.Read(conversation.Id) is { } turns) Change(conversation, () => conversation.Replace(turns));
    }

    private void Change(Conversation conversation, Action change)
    {
        lock (_gate)
        {
            _bytes -= conversation.Bytes;
            change();
            _bytes += conversation.Bytes;
            Trim();
        }
    }

    private void Trim()
    {
        LinkedListNode<Conversation>? next;
        for (LinkedListNode<Conversation>? node = _byUse.First; node is not null && _bytes > budget; node = next)
        {
            next = node.Next;
            if (node.Value.Users == 0) Forget(node);
        }
    }

    private void Forget(LinkedListNode<Conversation> node)
    {
        _all.Remove(node.Value.Id);
        _byUse.Remove(node);
        _bytes -= node.Value.Bytes;
    }
}
