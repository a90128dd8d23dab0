namespace MambaRT.Runtime;

/// <summary>What every architecture here shares: embedding, a residual stack of normed mixers, a final norm and a head that may be tied.</summary>
internal static class Backbone
{
    /// <summary>Records one mixer.</summary>
    /// <param name="blk">Prefix of the layer's tensors, "blk.3.".</param>
    /// <param name="x">Its normed input [rows, dModel].</param>
    /// <param name="residual">What its output is added to [rows, dModel].</param>
    public delegate Activation Mixer(string blk, Activation x, Activation residual);

    /// <summary>Records the whole stack and returns the logits.</summary>
    public static Activation Record(PlanBuilder p, Mixer mixer)
    {
        int dModel = p.Metadata.Size("embedding_length"), layers = p.Metadata.Size("block_count");
        float epsilon = p.Metadata.Positive("attention.layer_norm_rms_epsilon");
        int vocabulary = p.RowsOf("token_embd.weight");
        WeightRef embedding = p.Matrix("token_embd.weight", vocabulary, dModel, WeightRole.Embedding);

        Activation x = p.Embed("token_embd", embedding);
        for (int i = 0; i < layers; i++)
        {
            string blk = $"blk.{i}.";
            Activation normed = p.RmsNorm(blk + "norm", x, p.Vector(blk + "attn_norm.weight", dModel), epsilon);
            x = mixer(blk, normed, x);
        }
        x = p.SelectOutputs("outputs", x);
        x = p.RmsNorm("output_norm", x, p.Vector("output_norm.weight", dModel), epsilon);
        return p.Linear("output", x, p.TryMatrix("output.weight", vocabulary, dModel) ?? embedding);
    }
}
