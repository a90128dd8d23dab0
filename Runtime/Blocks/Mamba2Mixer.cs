namespace MambaRT.Models;

/// <summary>Sizes of a Mamba-2 mixer.</summary>
/// <param name="DModel">Residual width.</param>
/// <param name="DInner">nHeads · headDim.</param>
/// <param name="DState">States per channel.</param>
/// <param name="DConv">Taps of the convolution.</param>
/// <param name="NHeads">Heads; each has one decay.</param>
/// <param name="NGroups">Groups of heads that share B and C, and whose outputs are normed together.</param>
/// <param name="Epsilon">ε of the gated norm.</param>
internal readonly record struct Mamba2Dims(int DModel, int DInner, int DState, int DConv, int NHeads, int NGroups, float Epsilon);

/// <summary>The Mamba-2 mixer. Source: Mamba2 in state-spaces/mamba; the gated norm is per group, as there and in llama.cpp.</summary>
internal static class Mamba2Mixer
{
    /// <summary>Records one mixer and adds its output to the residual.</summary>
    public static Activation Record(PlanBuilder p, string blk, in Mamba2Dims m, Activation x, Activation residual)
    {
        int bc = m.NGroups * m.DState, channels = m.DInner + 2 * bc, width = m.DInner + channels + m.NHeads;
        Activation zxBCdt = p.Linear(blk + "in", x, p.Matrix(blk + "ssm_in.weight", width, m.DModel, WeightRole.In), p.TryVector(blk + "ssm_in.bias", width));
        Activation z = zxBCdt.Columns(0, m.DInner), dt = zxBCdt.Columns(m.DInner + channels, m.NHeads);
        Activation xBC = p.CausalConv(blk + "conv", zxBCdt.Columns(m.DInner, channels),
            p.Matrix(blk + "ssm_conv1d.weight", channels, m.DConv, WeightRole.SmallMatrix), p.TryVector(blk + "ssm_conv1d.bias", channels),
            p.ConvWindow(blk + "conv", channels, m.DConv));

        Activation y = p.SsdScan(blk + "scan", xBC.Columns(0, m.DInner), dt, xBC.Columns(m.DInner, bc), xBC.Columns(m.DInner + bc, bc),
            A: p.Vector(blk + "ssm_a", m.NHeads), D: p.Vector(blk + "ssm_d", m.NHeads), dtBias: p.Vector(blk + "ssm_dt.bias", m.NHeads),
            p.ScanState(blk + "scan", m.DInner, m.DState), m.NGroups);
        y = p.GatedRmsNorm(blk + "gate", y, z, p.Vector(blk + "ssm_norm.weight", m.DInner), m.NGroups, m.Epsilon);
        return p.Linear(blk + "out", y, p.Matrix(blk + "ssm_out.weight", m.DModel, m.DInner, WeightRole.Out), p.TryVector(blk + "ssm_out.bias", m.DModel), addTo: residual);
    }
}
