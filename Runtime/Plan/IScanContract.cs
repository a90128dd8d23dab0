namespace MambaRT.Plans;

/// <summary>What a device must be able to do. The meaning of each method is the text on its op in Ops.cs; the check is Tests/Contract.</summary>
/// <remarks>
/// A backend gives the same outputs and the same state, within the bound of each op, however the tokens are cut: one at a time, in any chunks,
/// alone or with other sequences in the batch, forked half-way, or continued on another backend from an exported state.
/// </remarks>
public interface IScanContract
{
    /// <summary>See <see cref="EmbedOp"/>.</summary>
    void Embed(EmbedOp op);

    /// <summary>See <see cref="RmsNormOp"/>.</summary>
    void RmsNorm(RmsNormOp op);

    /// <summary>See <see cref="LinearOp"/>.</summary>
    void Linear(LinearOp op);

    /// <summary>See <see cref="CausalConvOp"/>.</summary>
    void CausalConv(CausalConvOp op);

    /// <summary>See <see cref="SelectiveScanOp"/>.</summary>
    void SelectiveScan(SelectiveScanOp op);

    /// <summary>See <see cref="SsdScanOp"/>.</summary>
    void SsdScan(SsdScanOp op);

    /// <summary>See <see cref="GatedRmsNormOp"/>.</summary>
    void GatedRmsNorm(GatedRmsNormOp op);

    /// <summary>See <see cref="SelectOutputsOp"/>.</summary>
    void SelectOutputs(SelectOutputsOp op);
}
