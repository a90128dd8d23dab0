namespace MambaRT.Runtime;

/// <summary>Mamba-1 and Falcon-Mamba, which differs by norms of dt, B and C.</summary>
internal sealed class Mamba : Architecture
{
    public override string Id => "mamba";

    public override string Title => "Mamba-1, Falcon-Mamba";

    public override Activation Define(PlanBuilder p)
    {
        ModelMetadata meta = p.Metadata;
        float? dtBCEpsilon = meta.Flag("ssm.dt_b_c_rms")
            ? meta.Positive("ssm.dt_b_c_rms_epsilon", missing: meta.Positive("attention.layer_norm_rms_epsilon"))
            : null;
        var dims = new MambaDims(meta.Size("embedding_length"), meta.Size("ssm.inner_size"), meta.Size("ssm.state_size"),
            meta.Size("ssm.conv_kernel"), meta.Size("ssm.time_step_rank"), dtBCEpsilon);
        return Backbone.Record(p, (blk, x, residual) => MambaMixer.Record(p, blk, dims, x, residual));
    }
}
