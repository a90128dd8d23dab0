namespace MambaRT.Models;

/// <summary>Sizes of a Mamba-1 mixer.</summary>
/// <param name="DModel">Residual width.</param>
/// <param name="DInner">Channels of the scan.</param>
/// <param name="DState">States per channel.</param>
/// <param name="DConv">Taps of the convolution.</param>
/// <param name="DtRank">Width of the low-rank Δ.</param>
/// <param name="DtBCEpsilon">ε of the weightless norms of dt, B and C (Falcon-Mamba), or null for none.</param>
internal readonly record struct MambaDims(int DModel, int DInner, int DState, int DConv, int DtRank, float? DtBCEpsilon);

/// <summary>The Mamba-1 mixer. Source: MambaMixer in transformers, Mamba in state-spaces/mamba; FalconMambaMixer for the norms.</summary>
internal static class MambaMixer
{
    /// <summary>Records one mixer and adds its output to the residual.</summary>
    public static Activation Record(PlanBuilder p, string blk, in MambaDims m, Activation x, Activation residual)
    {
        Activation xz = p.Linear(blk + "in", x, p.Matrix(blk + "ssm_in.weight", 2 * m.DInner, m.DModel, WeightRole.In), p.TryVector(blk + "ssm_in.bias", 2 * m.DInner));
        Activation z = xz.Columns(m.DInner, m.DInner);
        Activation u = p.CausalConv(blk + "conv", xz.Columns(0, m.DInner),
            p.Matrix(blk + "ssm_conv1d.weight", m.DInner, m.DConv, WeightRole.SmallMatrix), p.TryVector(blk + "ssm_conv1d.bias", m.DInner),
            p.ConvWindow(blk + "conv", m.DInner, m.DConv));

        Activation dtBC = p.Linear(blk + "x", u, p.Matrix(blk + "ssm_x.weight", m.DtRank + 2 * m.DState, m.DInner, WeightRole.X));
        Activation dt = dtBC.Columns(0, m.DtRank), B = dtBC.Columns(m.DtRank, m.DState), C = dtBC.Columns(m.DtRank + m.DState, m.DState);
        if (m.DtBCEpsilon is float epsilon)
        {
            dt = p.RmsNorm(blk + "dt_norm", dt, null, epsilon);
            B = p.RmsNorm(blk + "b_norm", B, null, epsilon);
            C = p.RmsNorm(blk + "c_norm", C, null, epsilon);
        }
        dt = p.Linear(blk + "dt", dt, p.Matrix(blk + "ssm_dt.weight", m.DInner, m.DtRank, WeightRole.Dt));

        Activation y = p.SelectiveScan(blk + "scan", u, dt, B, C, z,
            A: p.Matrix(blk + "ssm_a", m.DInner, m.DState, WeightRole.SmallMatrix), D: p.Vector(blk + "ssm_d", m.DInner),
            dtBias: p.Vector(blk + "ssm_dt.bias", m.DInner), p.ScanState(blk + "scan", m.DInner, m.DState));
        return p.Linear(blk + "out", y, p.Matrix(blk + "ssm_out.weight", m.DModel, m.DInner, WeightRole.Out), p.TryVector(blk + "ssm_out.bias", m.DModel), addTo: residual);
    }
}
