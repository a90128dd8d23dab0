namespace MambaRT.Backends.Cpu;

/// <summary>What the code of a causal convolution depends on.</summary>
/// <param name="DConv">Taps, 1 to <see cref="ConvCode.MostTaps"/>.</param>
/// <param name="HasBias">Whether there is a bias.</param>
internal readonly record struct ConvShape(int DConv, bool HasBias);
