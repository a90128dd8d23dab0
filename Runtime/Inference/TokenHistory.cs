namespace MambaRT;

/// <summary>The tokens of a sequence in order, for samplers that look back. Keeps at least the last <see cref="Window"/>, so memory stays bounded.</summary>
internal sealed class TokenHistory
{
    /// <summary>How many tokens a sampler can surely look back.</summary>
    public const int Window = 1 << 20;

    private int[] _tokens = new int[256];
    private int _count;

    /// <summary>Tokens ever added and not taken back.</summary>
    public long Total { get; private set; }

    /// <summary>The tokens kept, oldest first.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _count);

    /// <summary>Adds tokens at the end.</summary>
    public void Append(ReadOnlySpan<int> tokens)
    {
        Total += tokens.Length;
        if (tokens.Length > Window) tokens = tokens[^Window..];
        if (_count + tokens.Length > 2 * Window)
        {
            // Moving once in Window tokens keeps the cost a token constant.
            int keep = Math.Min(_count, Window);
            _tokens.AsSpan(_count - keep, keep).CopyTo(_tokens);
            _count = keep;
        }
        if (_count + tokens.Length > _tokens.Length) Array.Resize(ref _tokens, Math.Max(2 * _tokens.Length, _count + tokens.Length));
        tokens.CopyTo(_tokens.AsSpan(_count));
        _count += tokens.Length;
    }

    /// <summary>Takes back what was added after <see cref="Total"/> was <paramref name="total"/>.</summary>
    public void Truncate(long total)
    {
        _count = (int)Math.Max(0, _count - Math.Max(0, Total - total));
        Total = Math.Min(Total, total);
    }

    /// <summary>Becomes equal to another.</summary>
    public void CopyFrom(TokenHistory other)
    {
        _tokens = other._tokens.AsSpan(0, Math.Max(256, other._count)).ToArray();
        _count = other._count;
        Total = other.Total;
    }
}
