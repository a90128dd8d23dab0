using MambaRT.Formats;

namespace MambaRT.Plans;

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

/// <summary>A recorded value, and how long it lives.</summary>
/// <param name="Width">Columns of the whole value.</param>
/// <param name="Rows">What a row stands for.</param>
/// <param name="First">The op that yields it; −1 where the piece of the plan before has.</param>
/// <param name="Last">The last op that reads it; the number of ops where it outlives them: the logits, and what the next piece of the plan needs.</param>
public readonly record struct RegisterSpec(int Width, RowDomain Rows, int First, int Last);

/// <summary>A weight that the plan reads: a tensor, or some columns of one.</summary>
/// <param name="Name">Its GGUF name.</param>
/// <param name="Rows">Rows: outputs of a projection; 1 for a vector.</param>
/// <param name="Columns">Columns that are read: inputs of a projection, or the length of a vector.</param>
/// <param name="Role">What it does.</param>
/// <param name="Layer">The layer that reads it first, or null outside of them.</param>
public readonly record struct WeightSpec(string Name, int Rows, int Columns, WeightRole Role, int? Layer = null)
{
    /// <summary>The first of the tensor's columns that is read.</summary>
    public int FirstColumn { get; init; }

    /// <summary>Columns of the tensor.</summary>
    public int TensorColumns { get; init; } = Columns;

    /// <summary>Number of values that are read.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>The tensor, all of it.</summary>
    public WeightSpec Whole => this with { FirstColumn = 0, Columns = TensorColumns };

    /// <summary>Whether backends decode it to float32 at load; the others are read as they are stored.</summary>
    public bool IsDecoded => Role is WeightRole.Vector or WeightRole.SmallMatrix;

    /// <summary>Finds what is read of the tensor, in place.</summary>
    public bool TryFind(IWeightSource source, out TensorView view)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (!source.TryGet(Name, out view)) return false;
        if (Columns != TensorColumns) view = view.ColumnsOf(FirstColumn, Columns);
        return true;
    }
}

/// <summary>What a weight does: backends place it by that, and policies of quantization choose its storage type.</summary>
/// <remarks>The definition of an architecture says it where it asks for the weight; nothing looks at a tensor's name for it.</remarks>
public enum WeightRole : byte
{
    /// <summary>Norm weights, biases, A, D: decoded to float32 at load, and stored as they are, as quantizing them costs quality and saves nothing.</summary>
    Vector,
    /// <summary>Convolution taps and the A matrix: small, and treated as vectors are.</summary>
    SmallMatrix,
    /// <summary>The embedding of a model that has a head of its own: looked up row by row.</summary>
    Embedding,
    /// <summary>What makes the logits: the head, or the embedding that is the head too.</summary>
    Head,
    /// <summary>A projection of the normed residual stream: in_proj, the gate and up of an MLP.</summary>
    In,
    /// <summary>Makes what steers a recurrence, of the mixer's own values: x_proj, which makes dt, B and C of Mamba-1; the gates of a linear recurrence.</summary>
    X,
    /// <summary>Makes what steers a recurrence of a few values: dt_proj, the time steps of Mamba-1.</summary>
    Dt,
    /// <summary>A projection that is added to the residual stream: out_proj, the down of an MLP.</summary>
    Out,
}
