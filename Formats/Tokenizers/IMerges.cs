namespace MambaRT.Formats;

/// <summary>What two neighbouring symbols become, and how early. A symbol is a token id, or the complement of a byte or code point that is no token.</summary>
internal interface IMerges
{
    /// <summary>Rank of a pair, lowest first, or −1 when it does not merge.</summary>
    int Rank(int left, int right);

    /// <summary>What a pair that merges becomes.</summary>
    int Result(int left, int right);
}
