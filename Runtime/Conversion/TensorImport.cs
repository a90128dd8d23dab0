using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>One tensor on its way into GGUF: where it comes from, what it is called and how it is stored.</summary>
/// <param name="Rule">The rule it follows.</param>
/// <param name="Source">The tensor in the checkpoint.</param>
/// <param name="Name">Name in GGUF.</param>
/// <param name="Values">Its values in the checkpoint.</param>
/// <param name="Dimensions">Sizes in GGUF, fastest first.</param>
internal sealed record TensorImport(TensorRule Rule, CheckpointTensor Source, string Name, CheckpointMatrix Values, long[] Dimensions) : ITensorRows
{
    /// <summary>The type chosen for it.</summary>
    public QuantType Asked { get; init; } = QuantTypes.F32;

    /// <summary>The type it gets, as its rows allow.</summary>
    public QuantType Type { get; init; } = QuantTypes.F32;

    public string Subject => $"{Source.File}: tensor '{Source.Name}'{(Rule.IsLogarithm ? ", as -exp," : "")}";

    public int Rows => Values.Rows;

    public int Columns => Values.Columns;

    public void ReadRow(int row, Span<float> values)
    {
        Values.DecodeRow(row, values);
        if (!Rule.IsLogarithm) return;
        foreach (ref float value in values) value = Logarithm.ToA(value);
    }

    public void Written(int row) => Values.ReleaseAfter(row);
}
