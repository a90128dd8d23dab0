namespace MambaRT.Runtime;

/// <summary>The steps that a chain may take between the penalties and the pick, in the order that is usual.</summary>
public enum SamplerKind
{
    /// <summary><see cref="Runtime.Penalties"/>.</summary>
    Penalties,
    /// <summary><see cref="Runtime.TopK"/>.</summary>
    TopK,
    /// <summary><see cref="Runtime.Typical"/>.</summary>
    Typical,
    /// <summary><see cref="Runtime.TopP"/>.</summary>
    TopP,
    /// <summary><see cref="Runtime.MinP"/>.</summary>
    MinP,
    /// <summary><see cref="Runtime.Xtc"/>.</summary>
    Xtc,
    /// <summary><see cref="Runtime.Temperature"/>.</summary>
    Temperature,
}
