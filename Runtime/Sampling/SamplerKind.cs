namespace MambaRT.Sampling;

/// <summary>The steps that a chain may take between the penalties and the pick, in the order that is usual.</summary>
public enum SamplerKind
{
    /// <summary><see cref="Sampling.Penalties"/>.</summary>
    Penalties,
    /// <summary><see cref="Sampling.TopK"/>.</summary>
    TopK,
    /// <summary><see cref="Sampling.Typical"/>.</summary>
    Typical,
    /// <summary><see cref="Sampling.TopP"/>.</summary>
    TopP,
    /// <summary><see cref="Sampling.MinP"/>.</summary>
    MinP,
    /// <summary><see cref="Sampling.Xtc"/>.</summary>
    Xtc,
    /// <summary><see cref="Sampling.Temperature"/>.</summary>
    Temperature,
}
