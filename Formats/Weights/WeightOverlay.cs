namespace MambaRT.Formats;

/// <summary>Weights of another source with some of them replaced, in memory: what a model would be if these were stored otherwise.</summary>
/// <remarks>Does not own the source below, which must outlive it. Safe to read from several threads once nothing is replaced any more.</remarks>
public sealed class WeightOverlay(IWeightSource below) : IWeightSource, IDisposable
{
    private readonly MemoryWeights _replaced = new();

    /// <summary>Stores a tensor as another type, row by row.</summary>
    /// <param name="name">A tensor of the source below, replaced at most once.</param>
    /// <param name="type">A type that can be written and whose blocks fit the rows.</param>
    /// <returns>How many bytes the tensor has now.</returns>
    /// <exception cref="ArgumentException">There is no such tensor, it was replaced already, or a row is no whole number of blocks.</exception>
    /// <exception cref="FormatException">A value is not finite.</exception>
    /// <exception cref="NotSupportedException">The type is only read.</exception>
    public long Encode(string name, QuantType type)
    {
        if (!below.TryGet(name, out TensorView view)) throw new ArgumentException($"There is no tensor '{name}' to replace.", nameof(name));
        _replaced.AddEncoded(name, type, view);
        return type.RowBytes(view.Columns) * view.Rows;
    }

    /// <inheritdoc/>
    public bool TryGet(string name, out TensorView view) => _replaced.TryGet(name, out view) || below.TryGet(name, out view);

    /// <inheritdoc/>
    public void EnsureReadable()
    {
        _replaced.EnsureReadable();
        below.EnsureReadable();
    }

    /// <inheritdoc/>
    public void Dispose() => _replaced.Dispose();
}
