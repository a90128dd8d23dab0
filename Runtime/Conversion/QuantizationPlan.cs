using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>What a quantization will write.</summary>
/// <param name="Tensors">Every tensor, in file order.</param>
/// <param name="Metadata">Every key.</param>
public sealed record QuantizationPlan(IReadOnlyList<PlannedTensor> Tensors, GgufMetadata Metadata)
{
    /// <summary>Weights and vectors.</summary>
    public long Values => Tensors.Sum(t => t.Values);

    /// <summary>Bytes of all tensors.</summary>
    public long Bytes => Tensors.Sum(t => t.Bytes);

    /// <summary>Mean bits of a value.</summary>
    public double BitsPerWeight => Values == 0 ? 0 : 8.0 * Bytes / Values;

    /// <summary>Of the tensors that will be quantized, those that an importance matrix says nothing of.</summary>
    /// <remarks>An embedding that is not the head is looked up, not multiplied with: there is nothing to know of its columns.</remarks>
    public IReadOnlyList<string> Without(ImportanceMatrix matrix) =>
        [.. Tensors.Where(t => t.Stored.BlockLength > 1 && t.Stored != t.Source.Type && t.Role != WeightRole.Embedding && !matrix.TryGet(t.Source.Name, out _)).Select(t => t.Source.Name)];

    /// <summary>Entries of an importance matrix that are of none of these tensors.</summary>
    public IReadOnlyList<string> Unused(ImportanceMatrix matrix)
    {
        HashSet<string> names = [.. Tensors.Select(t => t.Source.Name)];
        return [.. matrix.Names.Where(name => !names.Contains(name))];
    }

    /// <summary>Tensors whose rows are not whole blocks of the type chosen, so that another one is taken.</summary>
    public IReadOnlyList<StoredOtherwise> StoredOtherwise =>
        [.. Tensors.Where(t => t.Stored != t.Asked).Select(t => new StoredOtherwise(t.Source.Name, t.Source.Columns, t.Asked, t.Stored))];
}

/// <summary>A tensor that will be written.</summary>
/// <param name="Source">As it is now.</param>
/// <param name="Role">What it does.</param>
/// <param name="Asked">The type chosen for it.</param>
/// <param name="Stored">The type it gets.</param>
public sealed record PlannedTensor(GgufTensorInfo Source, WeightRole Role, QuantType Asked, QuantType Stored)
{
    /// <summary>Values in it.</summary>
    public long Values => (long)Source.Columns * Source.Rows;

    /// <summary>Bytes it will take.</summary>
    public long Bytes => Stored.RowBytes(Source.Columns) * Source.Rows;
}
