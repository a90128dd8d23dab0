namespace MambaRT;

/// <summary>The tokens of a sequence up to a place, as what came after an earlier place: sequences that begin alike share their beginning. Immutable.</summary>
internal sealed class TokenTrail
{
    private readonly TokenTrail? _before;   // null at a root
    private readonly int[] _piece;

    private TokenTrail(TokenTrail? before, int[] piece, long length, ulong hash) => (_before, _piece, Length, Hash) = (before, piece, length, hash);

    /// <summary>No token.</summary>
    public static TokenTrail Empty { get; } = new(null, [], 0, 0);

    /// <summary>Tokens in all.</summary>
    public long Length { get; }

    /// <summary>Of all tokens; equal trails have equal ones, and unequal trails nearly always others.</summary>
    public ulong Hash { get; }

    /// <summary>Whether all tokens are known.</summary>
    public bool IsKnown => Root == Empty;

    private TokenTrail Root
    {
        get
        {
            TokenTrail root = this;
            while (root._before is { } before) root = before;
            return root;
        }
    }

    /// <summary>So many tokens of which nothing is known, as after a saved state was loaded: equal to no other.</summary>
    public static TokenTrail Unknown(long length) => new(null, [], length, (ulong)Random.Shared.NextInt64());

    /// <summary>The hash with one more token.</summary>
    public static ulong Roll(ulong hash, int token)
    {
        hash = (hash + (uint)token + 1) * 0x9E3779B97F4A7C15;
        return hash ^ hash >> 32;
    }

    /// <summary>This, and some tokens after it.</summary>
    public TokenTrail Then(ReadOnlySpan<int> tokens)
    {
        if (tokens.IsEmpty) return this;
        ulong hash = Hash;
        foreach (int token in tokens) hash = Roll(hash, token);
        return new TokenTrail(this, tokens.ToArray(), Length + tokens.Length, hash);
    }

    /// <summary>Whether <paramref name="tokens"/> begin with these.</summary>
    public bool IsPrefixOf(ReadOnlySpan<int> tokens)
    {
        if (Length > tokens.Length) return false;
        TokenTrail at = this;
        for (; at._before is { } before; at = before)
            if (!tokens[(int)before.Length..(int)at.Length].SequenceEqual(at._piece)) return false;
        return at == Empty;
    }

    /// <summary>Whether these are the same tokens; where not all are known, after the same ones.</summary>
    public bool IsSame(TokenTrail other)
    {
        if (this == other) return true;
        if (Length != other.Length || Hash != other.Hash || Root != other.Root) return false;
        return From(Root.Length).AsSpan().SequenceEqual(other.From(Root.Length));
    }

    /// <summary>The tokens from a place on, which must be known.</summary>
    public int[] From(long start)
    {
        int[] tokens = new int[Length - start];
        for (TokenTrail at = this; at.Length > start; at = at._before!)   // a root is no longer than what is known
        {
            int skipped = (int)Math.Max(0, start - at._before!.Length);
            at._piece.AsSpan(skipped).CopyTo(tokens.AsSpan((int)(at._before.Length + skipped - start)));
        }
        return tokens;
    }

    /// <summary>How far it is known from: 0, or where the tokens begin that are known.</summary>
    public long KnownFrom => Root.Length;
}
