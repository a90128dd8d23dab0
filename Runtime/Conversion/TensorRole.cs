namespace MambaRT.Runtime;

/// <summary>What a tensor does, as far as its storage type depends on it.</summary>
internal enum TensorRole : byte
{
    /// <summary>Vectors, taps and A: stays as it is, as quantizing it costs quality and saves nothing.</summary>
    Kept,
    /// <summary>The embedding of a model that has a head of its own: read row by row.</summary>
    Embedding,
    /// <summary>The head, or the embedding that is the head too.</summary>
    Head,
    /// <summary>in_proj: makes x and z, and in Mamba-2 also B, C and dt.</summary>
    In,
    /// <summary>x_proj: makes dt, B and C of Mamba-1.</summary>
    X,
    /// <summary>dt_proj: the time steps of Mamba-1.</summary>
    Dt,
    /// <summary>out_proj: adds to the residual stream.</summary>
    Out,
}

/// <summary>Roles by GGUF name.</summary>
internal static class TensorRoles
{
    /// <summary>The role of a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="tied">Whether the model has no head of its own.</param>
    public static TensorRole Of(string name, bool tied) => name switch
    {
        "token_embd.weight" => tied ? TensorRole.Head : TensorRole.Embedding,
        "output.weight" => TensorRole.Head,
        _ when name.EndsWith(".ssm_in.weight", StringComparison.Ordinal) => TensorRole.In,
        _ when name.EndsWith(".ssm_x.weight", StringComparison.Ordinal) => TensorRole.X,
        _ when name.EndsWith(".ssm_dt.weight", StringComparison.Ordinal) => TensorRole.Dt,
        _ when name.EndsWith(".ssm_out.weight", StringComparison.Ordinal) => TensorRole.Out,
        _ => TensorRole.Kept,
    };
}
