namespace MambaRT.Formats;

/// <summary>One tensor in a checkpoint's file: of any rank and element type, its elements anywhere in a storage that it may share. Immutable.</summary>
/// <remarks>Whoever makes one has checked that all its elements lie inside the file. Valid until the file is disposed.</remarks>
public sealed class CheckpointTensor
{
    private readonly WeightBytes _file;
    private readonly long[] _shape;
    private readonly long[] _strides;

    /// <param name="file">Where it lies.</param>
    /// <param name="name">Its name, unique in the file.</param>
    /// <param name="dType">How its elements are stored, one of those that <see cref="ElementBytes"/> knows.</param>
    /// <param name="shape">Its sizes, the slowest-varying first; empty for a scalar.</param>
    /// <param name="offset">Where its first element begins in the file.</param>
    /// <param name="strides">Elements from one index to the next in each dimension, from 0; null when the tensor is contiguous.</param>
    internal CheckpointTensor(WeightBytes file, string name, string dType, long[] shape, long offset, long[]? strides = null)
    {
        _file = file;
        _shape = shape;
        _strides = strides ?? Contiguous(shape);
        Name = name;
        DType = dType;
        Offset = offset;
    }

    /// <summary>Its name, unique in the file.</summary>
    public string Name { get; }

    /// <summary>The file's path.</summary>
    public string File => _file.Path;

    /// <summary>How its elements are stored: "F32", "BF16", "I64", …</summary>
    public string DType { get; }

    /// <summary>Its sizes, the slowest-varying first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape => _shape;

    /// <summary>Bytes of its elements.</summary>
    public long Bytes => _shape.Aggregate((long)ElementBytes(DType), (bytes, size) => bytes * size);

    /// <summary>Where its first element begins in the file.</summary>
    internal long Offset { get; }

    /// <summary>The tensor as a matrix of floats: the last dimension as columns, the product of the others as rows.</summary>
    /// <exception cref="NotSupportedException">Its elements are not F32, F16 or BF16.</exception>
    /// <exception cref="FormatException">It is empty, or has more rows or columns than a matrix can have.</exception>
    public CheckpointMatrix Matrix()
    {
        QuantType type = DType switch
        {
            "F32" => QuantTypes.F32,
            "F16" => QuantTypes.F16,
            "BF16" => QuantTypes.BF16,
            _ => throw new NotSupportedException($"{File}: tensor '{Printable.Text(Name)}' is stored as {DType}; F32, F16 or BF16 is needed: convert the model."),
        };
        long columns = _shape is [.., var last] ? last : 1;
        long rows = columns == 0 ? 0 : Bytes / type.BlockBytes / columns;
        if (columns is 0 or > int.MaxValue || rows is 0 or > int.MaxValue)
            throw new FormatException($"{File}: tensor '{Printable.Text(Name)}' has {rows} rows of {columns} values; 1 to {int.MaxValue} of each are needed.");
        return new CheckpointMatrix(_file, type, _shape, _strides, Offset, (int)rows, (int)columns);
    }

    /// <summary>Bytes of one element; 0 for a type that is not known.</summary>
    internal static int ElementBytes(string dType) => dType switch
    {
        "BOOL" or "U8" or "I8" or "F8_E5M2" or "F8_E4M3" or "F8_E8M0" => 1,
        "U16" or "I16" or "F16" or "BF16" => 2,
        "U32" or "I32" or "F32" => 4,
        "U64" or "I64" or "F64" or "C64" => 8,
        _ => 0,
    };

    private static long[] Contiguous(long[] shape)
    {
        var strides = new long[shape.Length];
        long stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= shape[i];
        }
        return strides;
    }
}
