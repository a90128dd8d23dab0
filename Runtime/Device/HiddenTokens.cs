namespace MambaRT.Devices;

/// <summary>The tokens that picks leave out, in the order a device is given them: those that stand for nothing, then those that end a text.</summary>
public sealed class HiddenTokens
{
    /// <param name="vocabulary">Logits of a row.</param>
    /// <param name="neverPicked">See <see cref="LoadOptions.NeverPicked"/>.</param>
    /// <param name="ends">See <see cref="LoadOptions.EndTokens"/>.</param>
    public HiddenTokens(int vocabulary, IReadOnlyList<int> neverPicked, IReadOnlyList<int> ends)
    {
        ArgumentNullException.ThrowIfNull(neverPicked);
        ArgumentNullException.ThrowIfNull(ends);
        Unused = neverPicked.Count;
        for (Tokens = vocabulary; Unused > 0 && neverPicked[Unused - 1] == Tokens - 1; Unused--) Tokens--;   // rows at the end are not even looked at
        All = [.. neverPicked.Take(Unused), .. ends];
        Ends = ends.Count;
    }

    /// <summary>Tokens up to the last that stands for something.</summary>
    public int Tokens { get; }

    /// <summary>Those below that stand for nothing.</summary>
    public int Unused { get; }

    /// <summary>Those that end a text.</summary>
    public int Ends { get; }

    /// <summary>The ids of both.</summary>
    public IReadOnlyList<int> All { get; }

    /// <summary>How many of the list a pick leaves out.</summary>
    public int Hidden(in TokenPick pick) => pick.NoEnds ? Unused + Ends : Unused;
}
