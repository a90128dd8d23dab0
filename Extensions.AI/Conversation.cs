using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>The turns of a conversation with an id.</summary>
/// <param name="id">Its name.</param>
internal sealed class Conversation(string id)
{
    private const int BytesOfOne = 256, BytesOfTurn = 64;   // about what objects and lists take

    private readonly List<Turn> _turns = [];

    /// <summary>Its name.</summary>
    public string Id => id;

    /// <summary>What was said.</summary>
    public IReadOnlyList<Turn> Turns => _turns;

    /// <summary>Bytes that it takes; 0 while nothing was said.</summary>
    public long Bytes { get; private set; }

    /// <summary>Requests that are in it or wait for it; <see cref="Conversations"/> counts them.</summary>
    public int Users { get; set; }

    /// <summary>Lets one request in at a time.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>Bytes that it would take with these turns.</summary>
    public long BytesWith(IEnumerable<Turn> turns) =>
        (Bytes > 0 ? Bytes : BytesOfOne + 2L * id.Length) + turns.Sum(turn => BytesOfTurn + 2L * (turn.Role.Length + turn.Content.Length));

    /// <summary>When its file was written that it was last the same as; null where there was none.</summary>
    public DateTime? WrittenAt { get; set; }

    /// <summary>Makes it another's; only the request that is in it does.</summary>
    public void Replace(IReadOnlyList<Turn> turns)
    {
        _turns.Clear();
        Bytes = 0;
        Add(turns);
    }

    /// <summary>Makes it one in which nothing was said and that has no file; only who is in it does.</summary>
    public void Clear()
    {
        _turns.Clear();
        (Bytes, WrittenAt) = (0, null);
    }

    /// <summary>Adds turns; only the request that is in it does.</summary>
    public void Add(IReadOnlyList<Turn> turns)
    {
        Bytes = BytesWith(turns);
        _turns.AddRange(turns);
    }
}
