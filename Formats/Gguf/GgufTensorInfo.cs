namespace MambaRT.Formats;

/// <summary>One tensor in the table of a GGUF file. Immutable.</summary>
/// <param name="Name">Its name, unique in the model.</param>
/// <param name="Type">How its values are stored.</param>
/// <param name="Dimensions">1 to 4 sizes, the fastest-varying first: columns, then what makes up the rows.</param>
/// <param name="Offset">Where its bytes begin, counted from the first byte of its part.</param>
/// <param name="Bytes">How many bytes it has.</param>
/// <param name="Part">Which file of a split model holds it, from 0; 0 for a single file.</param>
public sealed record GgufTensorInfo(string Name, QuantType Type, IReadOnlyList<long> Dimensions, long Offset, long Bytes, int Part)
{
    /// <summary>The type's number in the file.</summary>
    public int TypeId => Type.GgufId;

    /// <summary>Values in a row: the first dimension.</summary>
    public int Columns => (int)Dimensions[0];

    /// <summary>Rows: the product of the other dimensions, 1 for a vector.</summary>
    public int Rows
    {
        get
        {
            long rows = 1;
            for (int i = 1; i < Dimensions.Count; i++) rows *= Dimensions[i];
            return checked((int)rows);
        }
    }
}
