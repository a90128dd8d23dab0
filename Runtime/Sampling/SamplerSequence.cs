namespace MambaRT.Sampling;

/// <summary>Sequences of samplers as llama.cpp writes them: names with semicolons between.</summary>
/// <remarks>Source: llama.cpp, common/sampling.cpp, <c>common_sampler_types_from_names</c>.</remarks>
public static class SamplerSequence
{
    private const int Longest = 64;

    private static readonly (SamplerKind Kind, string[] Names)[] Known =
    [
        (SamplerKind.Penalties, ["penalties"]),
        (SamplerKind.TopK, ["top_k"]),
        (SamplerKind.Typical, ["typ_p", "typical_p", "typical"]),
        (SamplerKind.TopP, ["top_p", "nucleus"]),
        (SamplerKind.MinP, ["min_p"]),
        (SamplerKind.Xtc, ["xtc"]),
        (SamplerKind.Temperature, ["temperature", "temp"]),
    ];

    // In llama.cpp's own order too, and without effect there as long as no option turns them on, which a model's file cannot.
    private static readonly string[] Idle = ["dry", "top_n_sigma", "adaptive_p"];

    /// <summary>The order where nothing else is said.</summary>
    public static IReadOnlyList<SamplerKind> Usual { get; } =
        [SamplerKind.Penalties, SamplerKind.TopK, SamplerKind.Typical, SamplerKind.TopP, SamplerKind.MinP, SamplerKind.Xtc, SamplerKind.Temperature];

    /// <summary>Reads a sequence; a name may have hyphens for its underscores, and one that is not known is left out.</summary>
    /// <param name="text">Names with semicolons between; an empty text is the usual order.</param>
    /// <param name="unknown">Takes the names that were left out.</param>
    /// <exception cref="FormatException">There are more names than a chain can be meant to have.</exception>
    public static IReadOnlyList<SamplerKind> Parse(string text, ICollection<string> unknown)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(unknown);
        string[] names = text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (names.Length == 0) return Usual;
        if (names.Length > Longest) throw new FormatException($"A sequence of samplers has {names.Length} names; at most {Longest} are taken.");
        var kinds = new List<SamplerKind>();
        foreach (string name in names)
        {
            string plain = name.ToLowerInvariant().Replace('-', '_');
            int known = Array.FindIndex(Known, sampler => sampler.Names.Contains(plain));
            if (known >= 0) kinds.Add(Known[known].Kind);
            else if (!Idle.Contains(plain)) unknown.Add(name);
        }
        return kinds;
    }
}
