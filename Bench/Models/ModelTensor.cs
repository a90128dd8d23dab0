namespace MambaRT.Bench;

/// <summary>What the values of a made tensor are like.</summary>
internal enum TensorContent : byte
{
    /// <summary>A matrix of the model's type, with a standard deviation of 0.5 / sqrt(columns).</summary>
    Projection,
    /// <summary>The matrix whose rows are the logits' weights; kept finer than the others.</summary>
    Head,
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

/// <summary>A tensor of a made model.</summary>
/// <param name="Name">Its GGUF name.</param>
/// <param name="Dimensions">Sizes, fastest first.</param>
/// <param name="Content">What its values are like.</param>
internal sealed record ModelTensor(string Name, long[] Dimensions, TensorContent Content)
{
    /// <summary>Values.</summary>
    public long Count => Dimensions.Aggregate(1L, (a, b) => a * b);

    /// <summary>All tensors of a model, in the order of the file.</summary>
    public static IEnumerable<ModelTensor> Of(ModelShape s)
    {
        yield return new("token_embd.weight", [s.DModel, s.Vocabulary], s.Tied ? TensorContent.Head : TensorContent.Projection);
        for (int i = 0; i < s.Layers; i++)
            foreach (ModelTensor tensor in s.IsMamba2 ? Mamba2Layer(s, $"blk.{i}.") : MambaLayer(s, $"blk.{i}.")) yield return tensor;
        yield return new("output_norm.weight", [s.DModel], TensorContent.Ones);
        if (!s.Tied) yield return new("output.weight", [s.DModel, s.Vocabulary], TensorContent.Head);
    }

    private static ModelTensor[] MambaLayer(ModelShape s, string blk) =>
    [
        new(blk + "attn_norm.weight", [s.DModel], TensorContent.Ones),
        new(blk + "ssm_in.weight", [s.DModel, 2 * s.DInner], TensorContent.Projection),
        new(blk + "ssm_conv1d.weight", [ModelShape.DConv, s.DInner], TensorContent.Taps),
        new(blk + "ssm_conv1d.bias", [s.DInner], TensorContent.Zeros),
        new(blk + "ssm_x.weight", [s.DInner, s.TimeStepRank + 2 * s.DState], TensorContent.Projection),
        new(blk + "ssm_dt.weight", [s.TimeStepRank, s.DInner], TensorContent.Projection),
        new(blk + "ssm_dt.bias", [s.DInner], TensorContent.TimeStep),
        new(blk + "ssm_a", [s.DState, s.DInner], TensorContent.Decay),
        new(blk + "ssm_d", [s.DInner], TensorContent.Ones),
        new(blk + "ssm_out.weight", [s.DInner, s.DModel], TensorContent.Projection),
    ];

    private static ModelTensor[] Mamba2Layer(ModelShape s, string blk) =>
    [
        new(blk + "attn_norm.weight", [s.DModel], TensorContent.Ones),
        new(blk + "ssm_in.weight", [s.DModel, s.DInner + s.ConvChannels + s.TimeStepRank], TensorContent.Projection),
        new(blk + "ssm_conv1d.weight", [ModelShape.DConv, s.ConvChannels], TensorContent.Taps),
        new(blk + "ssm_conv1d.bias", [s.ConvChannels], TensorContent.Zeros),
        new(blk + "ssm_dt.bias", [s.TimeStepRank], TensorContent.TimeStep),
        new(blk + "ssm_a", [1, s.TimeStepRank], TensorContent.HeadDecay),
        new(blk + "ssm_d", [1, s.TimeStepRank], TensorContent.Ones),
        new(blk + "ssm_norm.weight", [s.DInner / s.Groups, s.Groups], TensorContent.Ones),
        new(blk + "ssm_out.weight", [s.DInner, s.DModel], TensorContent.Projection),
    ];
}
