namespace MambaRT;

/// <summary>A generated token, how likely the model held it, and what it held more or less likely.</summary>
/// <param name="Token">The token.</param>
/// <param name="Text">Its text; a part of a character shows as U+FFFD, a control token as its name.</param>
/// <param name="Bytes">Its bytes, which join to the text's UTF-8 with those of its neighbours.</param>
/// <param name="LogProb">ln p by the model's own softmax over the tokens that stand for something, before any sampler; at most 0.</param>
/// <param name="Top">The most likely tokens, descending; as many as <see cref="GenerationOptions.LogProbs"/> asks for.</param>
public sealed record TokenLogProbs(int Token, string Text, ReadOnlyMemory<byte> Bytes, float LogProb, IReadOnlyList<TokenLogProb> Top);
