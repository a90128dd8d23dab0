namespace MambaRT.Runtime;

/// <summary>What one row of an activation stands for.</summary>
public enum RowDomain : byte
{
    /// <summary>One row per token fed.</summary>
    Tokens,
    /// <summary>One row per token whose logits are wanted.</summary>
    Outputs,
}

/// <summary>A column window of a recorded value: always a row-major float32 matrix <c>[rows, Width]</c> in meaning.</summary>
/// <param name="Register">Index into <see cref="Plan.Registers"/>.</param>
/// <param name="Offset">First column of the window.</param>
/// <param name="Width">Columns of the window.</param>
/// <param name="Rows">What a row stands for.</param>
public readonly record struct Activation(int Register, int Offset, int Width, RowDomain Rows)
{
    /// <summary>Narrows the window: how a projection's output splits into x and z without view, stride or reshape ops.</summary>
    public Activation Columns(int offset, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)offset + width, Width, nameof(width));
        return this with { Offset = Offset + offset, Width = width };
    }
}

/// <summary>Names an entry of <see cref="Plan.Weights"/>.</summary>
public readonly record struct WeightRef(int Index);

/// <summary>Names an entry of <see cref="StateLayout.Entries"/>.</summary>
public readonly record struct StateRef(int Index);

/// <summary>Where a recorded value lives: <paramref name="Width"/> floats a row, from <paramref name="ArenaOffset"/> floats a row on.</summary>
/// <param name="Width">Columns of the whole value; the row stride of every window of it.</param>
/// <param name="Rows">What a row stands for.</param>
/// <param name="ArenaOffset">Offset in floats per row of capacity: the value begins at ArenaOffset × rows of capacity. −1: the logits, which live apart.</param>
public readonly record struct RegisterSpec(int Width, RowDomain Rows, int ArenaOffset);

/// <summary>A weight that the plan reads.</summary>
/// <param name="Name">Its GGUF name.</param>
/// <param name="Rows">Rows: outputs of a projection; 1 for a vector.</param>
/// <param name="Columns">Columns: inputs of a projection, or the length of a vector.</param>
/// <param name="Role">What reads it.</param>
public readonly record struct WeightSpec(string Name, int Rows, int Columns, WeightRole Role)
{
    /// <summary>Number of values.</summary>
    public long Count => (long)Rows * Columns;
}

/// <summary>What a weight is for; consulted by backends for placement and by the quantizer for its policy.</summary>
public enum WeightRole : byte
{
    /// <summary>Norm weights, biases, A, D: decoded to float32 at load.</summary>
    Vector,
    /// <summary>Convolution taps and the A matrix: small, decoded to float32 at load.</summary>
    SmallMatrix,
    /// <summary>A projection, read by <see cref="LinearOp"/> in its stored type.</summary>
    Projection,
    /// <summary>The embedding table; also the output head when tied.</summary>
    Embedding,
}
