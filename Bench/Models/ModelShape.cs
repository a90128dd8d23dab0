namespace MambaRT.Bench;

/// <summary>The sizes of a published model.</summary>
/// <param name="Name">As published, such as "mamba-130m".</param>
/// <param name="Architecture">"mamba" or "mamba2".</param>
/// <param name="DModel">Residual width.</param>
/// <param name="Layers">Mixers.</param>
/// <param name="DState">States of a channel.</param>
/// <param name="Vocabulary">Rows of the embedding, padding included.</param>
/// <param name="Tied">Whether the head is the embedding.</param>
/// <param name="Groups">Mamba-2: groups of heads that share B and C.</param>
/// <param name="DtBCNorm">Mamba-1: whether dt, B and C are normed, as in Falcon-Mamba.</param>
public sealed record ModelShape(
    string Name, string Architecture, int DModel, int Layers, int DState, int Vocabulary, bool Tied = true, int Groups = 1, bool DtBCNorm = false)
{
    /// <summary>Taps of the convolution.</summary>
    public const int DConv = 4;

    /// <summary>Channels of a head of Mamba-2.</summary>
    private const int HeadDim = 64;

    /// <summary>Models by state-spaces, the Technology Innovation Institute and Mistral AI, from their config.json.</summary>
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        Mamba("mamba-130m", 768, 24),
        Mamba("mamba-370m", 1024, 48),
        Mamba("mamba-790m", 1536, 48),
        Mamba("mamba-1.4b", 2048, 48),
        Mamba("mamba-2.8b", 2560, 64),
        Mamba2("mamba2-130m", 768, 24),
        Mamba2("mamba2-370m", 1024, 48),
        Mamba2("mamba2-780m", 1536, 48),
        Mamba2("mamba2-1.3b", 2048, 48),
        Mamba2("mamba2-2.7b", 2560, 64),
        Mamba("falcon-mamba-7b", 4096, 64) with { Vocabulary = 65024, Tied = false, DtBCNorm = true },
        Mamba2("codestral-mamba-7b", 4096, 64) with { Vocabulary = 32768, Tied = false, Groups = 8 },
    ];

    /// <summary>Channels of the scan.</summary>
    public int DInner => 2 * DModel;

    /// <summary>Whether the mixers are Mamba-2's.</summary>
    public bool IsMamba2 => Architecture == "mamba2";

    /// <summary>What the key ssm.time_step_rank holds: the rank of Δ, or Mamba-2's number of heads.</summary>
    public int TimeStepRank => IsMamba2 ? DInner / HeadDim : (DModel + 15) / 16;

    /// <summary>Channels of the convolution.</summary>
    public int ConvChannels => IsMamba2 ? DInner + 2 * Groups * DState : DInner;

    /// <summary>Weights and vectors, a tied head counted once.</summary>
    public long Parameters => ModelTensor.Of(this).Sum(t => t.Count);

    /// <summary>The shape of this name (case ignored), or null.</summary>
    public static ModelShape? ByName(string name)
    {
        foreach (ModelShape shape in All)
            if (shape.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) return shape;
        return null;
    }

    /// <summary>GPT-NeoX's 50,277 tokens, padded to a multiple of 8.</summary>
    private static ModelShape Mamba(string name, int dModel, int layers) => new(name, "mamba", dModel, layers, 16, 50280);

    /// <summary>The same, padded to a multiple of 16.</summary>
    private static ModelShape Mamba2(string name, int dModel, int layers) => new(name, "mamba2", dModel, layers, 128, 50288);
}
