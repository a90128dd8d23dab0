namespace MambaRT.Bench;

/// <summary>What the values of a made tensor are like.</summary>
internal enum TensorContent : byte
{
    /// <summary>A table that is looked up, and perhaps the head too: of the model's type, with a standard deviation of 0.5 / sqrt(columns).</summary>
    Table,
    /// <summary>A matrix that is multiplied with: the same.</summary>
    Projection,
    /// <summary>Ones.</summary>
    Ones,
    /// <summary>Small values around zero: convolution taps.</summary>
    Taps,
    /// <summary>Zeros: a bias that does nothing.</summary>
    Zeros,
    /// <summary>−1 to −dState in each row, as Mamba-1 starts from.</summary>
    Decay,
    /// <summary>−1 to −16, one a head, as Mamba-2 starts from.</summary>
    HeadDecay,
    /// <summary>Values whose softplus lies between 0.001 and 0.1.</summary>
    TimeStep,
}
