using System.Diagnostics.CodeAnalysis;

namespace MambaRT;

/// <summary>The kept states of a model, found by the tokens they have absorbed. All members are for within <see cref="Model.Enter"/>.</summary>
/// <remarks>A hash of the tokens finds them, and the tokens decide. Each takes a slot of the model's; where a session needs one, the least recently useful gives its own up.</remarks>
internal sealed class CheckpointStore
{
    private readonly Model _model;
    private readonly CheckpointFolder? _folder;
    private readonly Dictionary<(long Length, ulong Hash), LinkedListNode<Checkpoint>> _known = [];
    private readonly LinkedList<Checkpoint> _byUse = new();   // the least recently useful first

    /// <summary>Makes an empty store.</summary>
    public CheckpointStore(Model model, CheckpointOptions options)
    {
        options.Validate();
        _model = model;
        Every = options.Every ?? Math.Max(256, model.ChunkTokens);
        if (options.Folder is { } folder) _folder = new CheckpointFolder(folder, model, options.Note);
    }

    /// <summary>Tokens from one kept state of a sequence to the next.</summary>
    public int Every { get; }

    /// <summary>States that are kept.</summary>
    public int Count => _byUse.Count;

    /// <summary>The bits of hashes that are used: all, but in a test of what happens when hashes are equal.</summary>
    public ulong HashMask { get; set; } = ulong.MaxValue;

    /// <summary>The longest kept state that tokens begin with.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <param name="least">Only longer ones are wanted.</param>
    /// <param name="most">The longest that is wanted.</param>
    /// <param name="exact">Whether only those are wanted that are a lone prompt's to the bit.</param>
    public Checkpoint? Longest(ReadOnlySpan<int> tokens, long least, int most, bool exact)
    {
        _folder?.Look();
        if (Count == 0 && _folder is null) return null;
        ulong[] hashes = new ulong[most + 1];
        for (int i = 0; i < most; i++) hashes[i + 1] = TokenTrail.Roll(hashes[i], tokens[i]);
        for (int length = most; length > least; length--)
        {
            if (Find(length, hashes[length]) is { } kept && kept.Trail.IsPrefixOf(tokens) && (kept.IsExact || !exact)) return Use(kept);
            if (!exact && _folder?.Has(length, hashes[length]) == true && FromFolder(tokens[..length], hashes[length]) is { } read) return read;
        }
        return null;
    }

    /// <summary>The kept state that has absorbed just these.</summary>
    public bool TryGet(TokenTrail trail, [NotNullWhen(true)] out Checkpoint? kept)
    {
        kept = Find(trail.Length, trail.Hash) is { } found && found.Trail.IsSame(trail) ? Use(found) : null;
        return kept is not null;
    }

    /// <summary>Keeps a copy of a state, unless it is kept or there is no room.</summary>
    /// <param name="trail">What it has absorbed.</param>
    /// <param name="slot">Where it is.</param>
    /// <param name="exact">See <see cref="Checkpoint.IsExact"/>.</param>
    public void Keep(TokenTrail trail, int slot, bool exact)
    {
        if (Reserve(trail, exact) is not int own) return;
        _model.Loaded.CopySlot(slot, own, trail.Length);
        Add(trail, own, exact);
    }

    /// <summary>Keeps a state itself: its slot is the store's from now on.</summary>
    public void Take(TokenTrail trail, int slot, bool exact)
    {
        if (IsKept(trail, exact)) _model.Slots.Return(slot);
        else Add(trail, slot, exact);
    }

    /// <summary>A slot for a state that is to be kept by <see cref="Add"/>; null where it is kept, or there is no room.</summary>
    public int? Reserve(TokenTrail trail, bool exact)
    {
        if (trail.Length == 0 || IsKept(trail, exact) || (_model.Slots.AreTight && Count == 0)) return null;
        try
        {
            return _model.Slots.Take(clears: false);
        }
        catch (StateBudgetException)
        {
            return null;   // sessions need it all
        }
    }

    /// <summary>Keeps what lies in a slot that was reserved.</summary>
    public void Add(TokenTrail trail, int slot, bool exact)
    {
        Drop(Find(trail.Length, trail.Hash));   // another one of an equal hash, or the same but not exact
        _known[Key(trail.Length, trail.Hash)] = _byUse.AddLast(new Checkpoint(trail, slot, exact));
        if (trail.IsKnown) _folder?.Write(trail, slot);
    }

    /// <summary>Gives up the least recently useful state.</summary>
    /// <param name="slot">Its slot, which is the caller's then.</param>
    /// <returns>False where none is kept.</returns>
    public bool TryGiveUp(out int slot)
    {
        slot = _byUse.First?.Value.Slot ?? 0;
        if (slot == 0) return false;
        Remove(_byUse.First!.Value);   // there is one
        return true;
    }

    private (long, ulong) Key(long length, ulong hash) => (length, hash & HashMask);

    private Checkpoint? Find(long length, ulong hash) => _known.TryGetValue(Key(length, hash), out LinkedListNode<Checkpoint>? node) ? node.Value : null;

    private bool IsKept(TokenTrail trail, bool exact) => TryGet(trail, out Checkpoint? kept) && (kept.IsExact || !exact);

    private Checkpoint Use(Checkpoint kept)
    {
        LinkedListNode<Checkpoint> node = _known[Key(kept.Trail.Length, kept.Trail.Hash)];
        _byUse.Remove(node);
        _byUse.AddLast(node);
        return kept;
    }

    private Checkpoint? FromFolder(ReadOnlySpan<int> tokens, ulong hash)
    {
        TokenTrail trail = TokenTrail.Empty.Then(tokens);
        if (Reserve(trail, exact: false) is not int slot) return null;
        if (!_folder!.Read(trail, hash, slot))   // who calls looked into it
        {
            _model.Slots.Return(slot);
            return null;
        }
        Add(trail, slot, exact: false);
        return Find(trail.Length, trail.Hash);
    }

    private void Drop(Checkpoint? kept)
    {
        if (kept is null) return;
        Remove(kept);
        _model.Slots.Return(kept.Slot);
    }

    private void Remove(Checkpoint kept)
    {
        (long, ulong) key = Key(kept.Trail.Length, kept.Trail.Hash);
        _byUse.Remove(_known[key]);
        _known.Remove(key);
    }
}
