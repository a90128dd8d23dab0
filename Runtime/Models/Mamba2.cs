namespace MambaRT.Runtime;

/// <summary>Mamba-2, with any number of groups (Mamba-Codestral has 8).</summary>
internal sealed class Mamba2 : Architecture
{
    public override string Id => "mamba2";

    public override string Title => "Mamba-2, Mamba-Codestral";

    public override Activation Define(PlanBuilder p)
    {
        ModelMetadata meta = p.Metadata;
        // In Mamba-2 files time_step_rank holds the number of heads.
        var dims = new Mamba2Dims(meta.Size("embedding_length"), meta.Size("ssm.inner_size"), meta.Size("ssm.state_size"), meta.Size("ssm.conv_kernel"),
            meta.Size("ssm.time_step_rank"), meta.Size("ssm.group_count", missing: 1), meta.Positive("attention.layer_norm_rms_epsilon"));
        if (dims.DInner % dims.NHeads != 0 || dims.NHeads % dims.NGroups != 0)
            throw new FormatException($"{meta.File.Subject}: {dims.DInner} channels in {dims.NHeads} heads in {dims.NGroups} groups do not divide evenly, as architecture 'mamba2' needs. Re-convert the model.");
        return Backbone.Record(p, (blk, x, residual) => Mamba2Mixer.Record(p, blk, dims, x, residual));
    }
}
