using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>One tensor on its way from GGUF into a checkpoint.</summary>
/// <param name="Rule">The rule it goes back by.</param>
/// <param name="File">Where it is.</param>
/// <param name="Name">Name in GGUF.</param>
/// <param name="HubName">Name in the checkpoint.</param>
/// <param name="View">Its values in the file.</param>
/// <param name="Type">How it is stored in the checkpoint.</param>
internal sealed record TensorExport(TensorRule Rule, GgufFile File, string Name, string HubName, TensorView View, QuantType Type) : ITensorRows
{
    public string Subject => $"{File.Path}: tensor '{Name}'{(Rule.IsLogarithm ? ", as log(-A)," : "")}";

    public int Rows => View.Rows;

    public int Columns => View.Columns;

    /// <summary>Sizes in the checkpoint, slowest first.</summary>
    public long[] Shape => Rule.Form switch
    {
        TensorForm.Taps => [Rows, 1, Columns],
        TensorForm.AsStored when File.Tensors.First(t => t.Name == Name).Dimensions.Count > 1 => [Rows, Columns],
        _ => [(long)Rows * Columns],
    };

    public void ReadRow(int row, Span<float> values)
    {
        View.DecodeRow(row, values);
        if (!Rule.IsLogarithm) return;
        foreach (ref float value in values) value = Logarithm.OfA(value);
    }

    public void Written(int row)
    {
        if (row == Rows - 1) File.Release(Name);
    }
}
