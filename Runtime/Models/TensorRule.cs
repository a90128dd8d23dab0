namespace MambaRT.Models;

/// <summary>How one tensor of a hub checkpoint becomes one of GGUF, and back; "{i}" in both names stands for the layer.</summary>
/// <param name="Hub">Name in the checkpoint, "backbone.layers.{i}.mixer.D".</param>
/// <param name="Gguf">Name in GGUF, "blk.{i}.ssm_d".</param>
internal sealed record TensorRule(string Hub, string Gguf)
{
    /// <summary>The embedding in GGUF, whose rows are the vocabulary.</summary>
    public const string Embedding = "token_embd.weight";

    /// <summary>Where a layer's number goes.</summary>
    public const string Layer = "{i}";

    /// <summary>Whether the values are A_log and −exp of them is stored.</summary>
    public bool IsLogarithm { get; init; }

    /// <summary>How the sizes are written; the order of the values never changes.</summary>
    public TensorForm Form { get; init; }

    /// <summary>When the tensor must be there.</summary>
    public TensorPresence Presence { get; init; }

    /// <summary>Every tensor of a model with some layers: its rule, its name in the checkpoint and in GGUF; those of the stack first, then layer by layer.</summary>
    public static IEnumerable<(TensorRule Rule, string Hub, string Gguf)> Expand(IReadOnlyList<TensorRule> rules, int layers)
    {
        foreach (TensorRule rule in rules)
            if (!rule.IsLayered) yield return (rule, rule.Hub, rule.Gguf);
        for (int i = 0; i < layers; i++)
            foreach (TensorRule rule in rules)
                if (rule.IsLayered) yield return (rule, rule.Hub.Replace(Layer, $"{i}"), rule.Gguf.Replace(Layer, $"{i}"));
    }

    /// <summary>The name of a layer's tensor with <see cref="Layer"/> for its number; any other name as it is.</summary>
    public static string General(string name)
    {
        string[] parts = name.Split('.', 3);
        return parts is [_, { Length: > 0 } number, _] && number.All(char.IsAsciiDigit) ? $"{parts[0]}.{Layer}.{parts[2]}" : name;
    }

    /// <summary>Sizes in GGUF, fastest first.</summary>
    /// <param name="form">How they are written.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Values in a row.</param>
    /// <param name="isVector">Whether a tensor as stored has one dimension.</param>
    /// <param name="groups">Groups of <see cref="TensorForm.Grouped"/>, of which there are whole ones.</param>
    public static long[] Dimensions(TensorForm form, int rows, int columns, bool isVector, int groups)
    {
        long count = (long)rows * columns;
        return form switch
        {
            TensorForm.Column => [1, count],
            TensorForm.Grouped => [count / groups, groups],
            _ => isVector ? [count] : [columns, rows],
        };
    }

    private bool IsLayered => Hub.Contains(Layer);
}

/// <summary>Sizes of a tensor in GGUF, fastest first, and in a checkpoint, slowest first.</summary>
internal enum TensorForm : byte
{
    /// <summary>The same in both.</summary>
    AsStored,
    /// <summary>(channels, 1, taps) as taps × channels.</summary>
    Taps,
    /// <summary>A vector (n) as 1 × n.</summary>
    Column,
    /// <summary>A vector (n) as (n / groups) × groups.</summary>
    Grouped,
}

/// <summary>When a checkpoint has a tensor.</summary>
internal enum TensorPresence : byte
{
    /// <summary>Always.</summary>
    Always,
    /// <summary>When the projections have biases.</summary>
    ProjectionBias,
    /// <summary>When the convolution has a bias.</summary>
    ConvolutionBias,
    /// <summary>When the head is not tied to the embedding; a tied one may be there too and is left out if it is the same.</summary>
    UntiedHead,
}
