namespace MambaRT.Plans;

// The text of the scan contract: what every op computes, in which shapes, from which source, and how near a backend must come.
//
//   C#              paper / official code       GGUF key or tensor       note
//   dModel          D / d_model                 embedding_length         residual width
//   dInner          E·D / d_inner               ssm.inner_size           channels of the scan
//   dState          N / d_state                 ssm.state_size           16 in Mamba-1, 64 to 256 in Mamba-2
//   dConv           d_conv                      ssm.conv_kernel          the window keeps dConv−1 columns (the official cache keeps dConv)
//   dtRank          dt_rank                     ssm.time_step_rank       in Mamba-2 files this key holds nHeads
//   nHeads, headDim H, P                        time_step_rank, inner ÷ heads
//   nGroups         G / ngroups                 ssm.group_count          heads of a group share B and C
//   A               A = −exp(A_log)             blk.N.ssm_a              exponentiated at conversion
//   dt, dtBias      Δ / dt_proj, dt_bias        ssm_dt.weight, .bias     bias and softplus belong to the scan op
//   B, C, D         B, C, D                     rows of ssm_x or ssm_in; ssm_d
//   z               z                           second half of ssm_in    gate
//
// Bounds are normalised mean square errors (Σ(a−b)² / Σb²) against the Reference backend, for outputs and states alike;
// OpBounds has them, with a reason each.

/// <summary>One step of a <see cref="Plan"/>. Immutable once it is recorded.</summary>
public abstract class Op
{
    /// <summary>Dotted name such as "blk.3.scan": in traces, errors and timings.</summary>
    public required string Name { get; init; }

    /// <summary>What it computes.</summary>
    public abstract OpKind Kind { get; }

    /// <summary>The layer it belongs to, from 0; null before the first layer and behind the last.</summary>
    public int? Layer { get; internal set; }

    /// <summary>The value it yields.</summary>
    public required Activation Output { get; init; }

    /// <summary>The values it reads, optional ones left out.</summary>
    public abstract IEnumerable<Activation> Inputs { get; }

    /// <summary>The weights it reads, optional ones left out.</summary>
    public virtual IEnumerable<WeightRef> Weights => [];

    /// <summary>The register whose memory the output may take over when this op is its last reader, or −1.</summary>
    public virtual int TakesOver => -1;

    /// <summary>Calls the device's method for this kind of op.</summary>
    public abstract void Accept(IScanContract device);

    /// <summary>The same op in a piece of the plan.</summary>
    internal abstract Op MoveTo(PlanPiece piece);

    private protected static IEnumerable<T> Present<T>(params T?[] items) where T : struct
    {
        foreach (T? item in items)
            if (item is T value) yield return value;
    }
}

/// <summary>
/// Looks up token embeddings: <c>y[t] = scale · table[token[t]]</c>, decoded exactly, and multiplied in float32.
/// Shapes: table [vocabulary, dModel], y [rows, dModel]. Source of the scale: embedding_multiplier of Granite, normalizer of Gemma.
/// </summary>
public sealed class EmbedOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.Embed;

    /// <summary>[vocabulary, dModel].</summary>
    public required WeightRef Table { get; init; }

    /// <summary>A factor for every value; 1 = none.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => [];

    /// <inheritdoc/>
    public override IEnumerable<WeightRef> Weights => [Table];

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.Embed(this);

    internal override Op MoveTo(PlanPiece piece) => new EmbedOp { Name = Name, Output = piece.Value(Output), Table = piece.Weight(Table), Scale = Scale };
}

/// <summary>
/// Root-mean-square norm of each row: <c>y = x / sqrt(mean(x²) + ε) ⊙ weight</c>; without a weight as Falcon-Mamba norms dt, B and C.
/// Shapes: x, y [rows, width]; weight [width]. Source: RMSNorm in state-spaces/mamba; arXiv 1910.07467.
/// </summary>
public sealed class RmsNormOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.RmsNorm;

    /// <summary>[rows, width].</summary>
    public required Activation X { get; init; }

    /// <summary>[width], or null for no scaling.</summary>
    public required WeightRef? Weight { get; init; }

    /// <summary>ε, added to the mean square.</summary>
    public required float Epsilon { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => [X];

    /// <inheritdoc/>
    public override IEnumerable<WeightRef> Weights => Present(Weight);

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.RmsNorm(this);

    internal override Op MoveTo(PlanPiece piece) => new RmsNormOp { Name = Name, Output = piece.Value(Output), X = piece.Value(X), Weight = piece.Weight(Weight), Epsilon = Epsilon };
}

/// <summary>
/// Projection: <c>y = scale · (x·Wᵀ (+ bias)) (+ addTo)</c>. Shapes: x [rows, in], W [out, in] of any storage type, bias [out], addTo and y [rows, out].
/// Source of the scale: residual_multiplier and logits_scaling of Granite. The output may take over addTo's memory where the scale is 1, as a backend may
/// apply another one after the product. A backend may quantize x to 8 bit per block of at most 32 values when W is quantized; never when W is a float type.
/// In products of many rows it may round x to W's own type where that is F16 or BF16, as tensor cores multiply them.
/// </summary>
public sealed class LinearOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.Linear;

    /// <summary>[rows, in].</summary>
    public required Activation X { get; init; }

    /// <summary>[out, in].</summary>
    public required WeightRef Weight { get; init; }

    /// <summary>[out], or null.</summary>
    public required WeightRef? Bias { get; init; }

    /// <summary>[rows, out] to add to the product (the residual), or null.</summary>
    public required Activation? AddTo { get; init; }

    /// <summary>A factor for the product and the bias; 1 = none.</summary>
    public float Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => Present(X, AddTo);

    /// <inheritdoc/>
    public override IEnumerable<WeightRef> Weights => Present(Weight, Bias);

    /// <inheritdoc/>
    public override int TakesOver => Scale == 1 && AddTo is Activation residual ? residual.Register : -1;

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.Linear(this);

    internal override Op MoveTo(PlanPiece piece) => new LinearOp
    {
        Name = Name, Output = piece.Value(Output), X = piece.Value(X), Weight = piece.Weight(Weight), Bias = piece.Weight(Bias), AddTo = piece.Value(AddTo), Scale = Scale,
    };
}

/// <summary>
/// Depthwise causal convolution over each sequence, then SiLU; its window is the last dConv−1 inputs of each channel, oldest first.
/// <code>
///   y[t,c] = silu(bias[c] + Σ_k weight[c,k]·x[t−(dConv−1)+k, c])        x before the sequence's first row comes from the window
/// </code>
/// Shapes: x, y [rows, channels]; weight [channels, dConv]; bias [channels]; window [channels, dConv−1].
/// Source: causal_conv1d_ref in Dao-AILab/causal-conv1d; causal_conv1d_update for one row.
/// </summary>
public sealed class CausalConvOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.CausalConv;

    /// <summary>[rows, channels].</summary>
    public required Activation X { get; init; }

    /// <summary>[channels, dConv].</summary>
    public required WeightRef Weight { get; init; }

    /// <summary>[channels], or null.</summary>
    public required WeightRef? Bias { get; init; }

    /// <summary>[channels, dConv−1].</summary>
    public required StateRef Window { get; init; }

    /// <summary>Taps.</summary>
    public required int DConv { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => [X];

    /// <inheritdoc/>
    public override IEnumerable<WeightRef> Weights => Present(Weight, Bias);

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.CausalConv(this);

    internal override Op MoveTo(PlanPiece piece) => new CausalConvOp
    {
        Name = Name, Output = piece.Value(Output), X = piece.Value(X), Weight = piece.Weight(Weight), Bias = piece.Weight(Bias), Window = piece.State(Window), DConv = DConv,
    };
}

/// <summary>
/// Mamba-1 selective scan over each sequence of the batch, in order, starting from and updating its slot.
/// <code>
///   Δ = softplus(dt[t,d] + dtBias[d])                       (softplus(x) = x above 20)
///   h[d,n] = h[d,n]·exp(Δ·A[d,n]) + Δ·B[t,n]·u[t,d]
///   y[t,d] = (Σ_n h[d,n]·C[t,n] + D[d]·u[t,d]) · silu(z[t,d])
/// </code>
/// Shapes: u, dt, z, y [rows, dInner]; B, C [rows, dState]; A [dInner, dState], already −exp(A_log); D, dtBias [dInner]; h [dInner, dState].
/// Source: selective_scan_ref in state-spaces/mamba; Mamba paper, algorithm 2. h is accumulated in float32 whatever its storage.
/// </summary>
public sealed class SelectiveScanOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.SelectiveScan;

    /// <summary>u [rows, dInner].</summary>
    public required Activation U { get; init; }

    /// <summary>dt before bias and softplus [rows, dInner].</summary>
    public required Activation Dt { get; init; }

    /// <summary>B [rows, dState].</summary>
    public required Activation B { get; init; }

    /// <summary>C [rows, dState].</summary>
    public required Activation C { get; init; }

    /// <summary>Gate [rows, dInner].</summary>
    public required Activation Z { get; init; }

    /// <summary>A [dInner, dState], negative.</summary>
    public required WeightRef A { get; init; }

    /// <summary>D [dInner].</summary>
    public required WeightRef D { get; init; }

    /// <summary>Δ bias [dInner].</summary>
    public required WeightRef DtBias { get; init; }

    /// <summary>h [dInner, dState].</summary>
    public required StateRef State { get; init; }

    /// <summary>States per channel.</summary>
    public required int DState { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => [U, Dt, B, C, Z];

    /// <inheritdoc/>
    public override IEnumerable<WeightRef> Weights => [A, D, DtBias];

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.SelectiveScan(this);

    internal override Op MoveTo(PlanPiece piece) => new SelectiveScanOp
    {
        Name = Name, Output = piece.Value(Output), U = piece.Value(U), Dt = piece.Value(Dt), B = piece.Value(B), C = piece.Value(C), Z = piece.Value(Z),
        A = piece.Weight(A), D = piece.Weight(D), DtBias = piece.Weight(DtBias), State = piece.State(State), DState = DState,
    };
}

/// <summary>
/// Mamba-2 scan (SSD) over each sequence of the batch: one decay per head; heads of a group share B and C.
/// <code>
///   Δ = softplus(dt[t,i] + dtBias[i])                       head i, group g = i / (nHeads / nGroups)
///   h[i,p,n] = h[i,p,n]·exp(Δ·A[i]) + Δ·B[t,g,n]·x[t,i,p]
///   y[t,i,p] = Σ_n h[i,p,n]·C[t,g,n] + D[i]·x[t,i,p]
/// </code>
/// Shapes: x, y [rows, nHeads·headDim]; dt [rows, nHeads]; B, C [rows, nGroups·dState]; A, D, dtBias [nHeads]; h [nHeads·headDim, dState].
/// Source: selective_state_update_ref and ssd_minimal_discrete in state-spaces/mamba; Mamba-2 paper, section 6.
/// </summary>
public sealed class SsdScanOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.SsdScan;

    /// <summary>x [rows, nHeads·headDim].</summary>
    public required Activation X { get; init; }

    /// <summary>dt before bias and softplus [rows, nHeads].</summary>
    public required Activation Dt { get; init; }

    /// <summary>B [rows, nGroups·dState].</summary>
    public required Activation B { get; init; }

    /// <summary>C [rows, nGroups·dState].</summary>
    public required Activation C { get; init; }

    /// <summary>A [nHeads], negative.</summary>
    public required WeightRef A { get; init; }

    /// <summary>D [nHeads].</summary>
    public required WeightRef D { get; init; }

    /// <summary>Δ bias [nHeads].</summary>
    public required WeightRef DtBias { get; init; }

    /// <summary>h [nHeads·headDim, dState].</summary>
    public required StateRef State { get; init; }

    /// <summary>Heads.</summary>
    public required int NHeads { get; init; }

    /// <summary>Channels per head.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Groups that share B and C.</summary>
    public required int NGroups { get; init; }

    /// <summary>States per channel.</summary>
    public required int DState { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => [X, Dt, B, C];

    /// <inheritdoc/>
    public override IEnumerable<WeightRef> Weights => [A, D, DtBias];

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.SsdScan(this);

    internal override Op MoveTo(PlanPiece piece) => new SsdScanOp
    {
        Name = Name, Output = piece.Value(Output), X = piece.Value(X), Dt = piece.Value(Dt), B = piece.Value(B), C = piece.Value(C),
        A = piece.Weight(A), D = piece.Weight(D), DtBias = piece.Weight(DtBias), State = piece.State(State),
        NHeads = NHeads, HeadDim = HeadDim, NGroups = NGroups, DState = DState,
    };
}

/// <summary>
/// Gated norm of Mamba-2: <c>v = x ⊙ silu(z); y = v / sqrt(mean_g(v²) + ε) ⊙ weight</c>, the mean taken per group of width/nGroups columns.
/// Shapes: x, z, y [rows, width]; weight [width]. Source: RMSNormGated (norm_before_gate = False, group_size) in state-spaces/mamba.
/// </summary>
public sealed class GatedRmsNormOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.GatedRmsNorm;

    /// <summary>[rows, width].</summary>
    public required Activation X { get; init; }

    /// <summary>Gate [rows, width].</summary>
    public required Activation Z { get; init; }

    /// <summary>[width].</summary>
    public required WeightRef Weight { get; init; }

    /// <summary>Groups normed apart.</summary>
    public required int NGroups { get; init; }

    /// <summary>ε, added to the mean square.</summary>
    public required float Epsilon { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => [X, Z];

    /// <inheritdoc/>
    public override IEnumerable<WeightRef> Weights => [Weight];

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.GatedRmsNorm(this);

    internal override Op MoveTo(PlanPiece piece) => new GatedRmsNormOp
    {
        Name = Name, Output = piece.Value(Output), X = piece.Value(X), Z = piece.Value(Z), Weight = piece.Weight(Weight), NGroups = NGroups, Epsilon = Epsilon,
    };
}

/// <summary>Copies the rows whose logits are wanted, in order: Tokens rows [rows, width] → Outputs rows [outputs, width], before the final norm and head.</summary>
public sealed class SelectOutputsOp : Op
{
    /// <inheritdoc/>
    public override OpKind Kind => OpKind.SelectOutputs;

    /// <summary>[rows, width].</summary>
    public required Activation X { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<Activation> Inputs => [X];

    /// <inheritdoc/>
    public override void Accept(IScanContract device) => device.SelectOutputs(this);

    internal override Op MoveTo(PlanPiece piece) => new SelectOutputsOp { Name = Name, Output = piece.Value(Output), X = piece.Value(X) };
}
