namespace MambaRT.Sampling;

/// <summary>
/// One step between the logits and the pick. A sampler that implements only this interface keeps no state,
/// so chains on different threads may share it.
/// </summary>
public interface ISampler
{
    /// <summary>Shrinks, reorders or rescales the candidates; must not allocate and must leave at least one.</summary>
    /// <param name="candidates">
    /// The candidates; none is a NaN. Call <see cref="Candidates.Disorder"/> after changing logits so that their order may differ.
    /// </param>
    void Apply(ref Candidates candidates);
}
