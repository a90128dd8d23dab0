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
    /// <exception cref="IOException">It has a file that cannot be read.</exception>
    public async Task<ConversationUse> EnterAsync(string id, IReadOnlyList<Turn> said, CancellationToken cancel)
    {
        if (id.Length == 0) throw new ArgumentException("ConversationId is empty; give the conversation a name, or leave the id out and send all of it.");
        (Conversation conversation, ConversationUse use) = await WaitAsync(id, cancel).ConfigureAwait(false);
        try
        {
            if (folder is not null) await Task.Run(() => Recall(conversation), cancel).ConfigureAwait(false);   // its file may be another's for a moment
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

    /// <summary>What was said in a conversation so far, also while a request is in it; null where nothing is known of one.</summary>
    /// <exception cref="IOException">It has a file that cannot be read.</exception>
    public IReadOnlyList<Turn>? Find(string id)
    {
        DateTime? writtenAt = folder?.WrittenAt(id);
        IReadOnlyList<Turn>? known = null;
        lock (_gate)
            if (_all.TryGetValue(id, out LinkedListNode<Conversation>? node) && node.Value.Bytes > 0)
            {
                known = [.. node.Value.Turns];
                if (writtenAt is null || writtenAt == node.Value.WrittenAt) return known;
            }
        return writtenAt is null ? known : folder!.Read(id) ?? known;   // there is a time because there is a folder
    }

    /// <summary>Forgets a conversation when no request is in it, and its file.</summary>
    /// <returns>Whether anything was known of it.</returns>
    /// <exception cref="IOException">The file cannot be deleted; the conversation is as it was.</exception>
    public async Task<bool> DeleteAsync(string id, CancellationToken cancel)
    {
        (Conversation conversation, ConversationUse use) = await WaitAsync(id, cancel).ConfigureAwait(false);
        using (use)
        {
            bool had = folder?.Delete(id) == true || conversation.Bytes > 0;
            Change(conversation, conversation.Clear);
            return had;
        }
    }

    /// <summary>Adds turns to a conversation that the caller is in.</summary>
    public void Keep(Conversation conversation, IReadOnlyList<Turn> turns)
    {
        Change(conversation, () => conversation.Add(turns));
        if (folder is null) return;
        folder.Write(conversation.Id, conversation.Turns);
        DateTime? writtenAt = folder.WrittenAt(conversation.Id);
        lock (_gate) conversation.WrittenAt = writtenAt;
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

    private async Task<(Conversation, ConversationUse)> WaitAsync(string id, CancellationToken cancel)
    {
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
        return (conversation, new ConversationUse(this, conversation));
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
        IReadOnlyList<Turn>? turns = folder.Read(conversation.Id);
        Change(conversation, () =>
        {
            conversation.WrittenAt = writtenAt;
            if (turns is not null) conversation.Replace(turns);
        });
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

    /// <summary>The latest stays, whatever an answer made of it: its next request is refused in a sentence, where one that was forgotten would begin anew without a word.</summary>
    private void Trim()
    {
        LinkedListNode<Conversation>? next;
        for (LinkedListNode<Conversation>? node = _byUse.First; node is not null && node != _byUse.Last && _bytes > budget; node = next)
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
