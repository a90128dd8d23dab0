namespace MambaRT;

/// <summary>A token and how likely the model holds it.</summary>
/// <param name="Token">The token.</param>
/// <param name="Text">Its text; a part of a character shows as U+FFFD, a control token as its name.</param>
/// <param name="Bytes">Its bytes, which join to the text's UTF-8 with those of its neighbours.</param>
/// <param name="LogProb">ln p by the model's own softmax over the tokens that stand for something, before any sampler; at most 0.</param>
public readonly record struct TokenLogProb(int Token, string Text, ReadOnlyMemory<byte> Bytes, float LogProb);
