namespace MambaRT.Formats;

/// <summary>A dictionary of a pickle: pairs in their order, as keys may be anything.</summary>
internal sealed class PickleDictionary
{
    public List<(object? Key, object? Value)> Pairs { get; } = [];
}

/// <summary>A storage that a pickle refers to: the bytes of an entry of the archive.</summary>
/// <param name="DType">How its elements are stored.</param>
/// <param name="Key">Name of its entry below "data/".</param>
/// <param name="Count">Its elements, as the pickle claims.</param>
internal sealed record PickleStorage(string DType, string Key, long Count);

/// <summary>A tensor of a pickle: a view of a storage, unchecked.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);
