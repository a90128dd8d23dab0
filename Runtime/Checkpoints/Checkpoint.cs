namespace MambaRT;

/// <summary>A state that is kept, to begin from again.</summary>
/// <param name="Trail">What it has absorbed.</param>
/// <param name="Slot">Where it is.</param>
/// <param name="IsExact">Whether it is, to the bit, the state of a prompt fed from the beginning in whole chunks, as a lone one is.</param>
internal sealed record Checkpoint(TokenTrail Trail, int Slot, bool IsExact);
