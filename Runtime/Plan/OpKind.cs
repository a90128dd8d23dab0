namespace MambaRT.Plans;

/// <summary>The kinds of op that a plan is made of.</summary>
public enum OpKind : byte
{
    /// <summary>See <see cref="EmbedOp"/>.</summary>
    Embed,
    /// <summary>See <see cref="RmsNormOp"/>.</summary>
    RmsNorm,
    /// <summary>See <see cref="LinearOp"/>.</summary>
    Linear,
    /// <summary>See <see cref="CausalConvOp"/>.</summary>
    CausalConv,
    /// <summary>See <see cref="SelectiveScanOp"/>.</summary>
    SelectiveScan,
    /// <summary>See <see cref="SsdScanOp"/>.</summary>
    SsdScan,
    /// <summary>See <see cref="GatedRmsNormOp"/>.</summary>
    GatedRmsNorm,
    /// <summary>See <see cref="SelectOutputsOp"/>.</summary>
    SelectOutputs,
}
