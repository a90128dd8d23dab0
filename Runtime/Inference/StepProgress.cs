namespace MambaRT;

/// <summary>What a step for a time has done.</summary>
/// <param name="PromptTokens">Tokens of prompts that were absorbed; those of a chunk count when all of it is.</param>
/// <param name="GeneratedTokens">Tokens that were generated, without those that ended a text.</param>
/// <param name="Finished">Answers that ended.</param>
/// <param name="HasMore">Whether there is more to do at once.</param>
public readonly record struct StepProgress(int PromptTokens, int GeneratedTokens, int Finished, bool HasMore);
