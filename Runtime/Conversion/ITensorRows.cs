using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>A tensor on its way into a file, row by row.</summary>
internal interface ITensorRows
{
    /// <summary>Where it comes from, for messages: "model.safetensors: tensor 'backbone.norm_f.weight'".</summary>
    string Subject { get; }

    /// <summary>How it is stored in the file to be.</summary>
    QuantType Type { get; }

    /// <summary>Rows.</summary>
    int Rows { get; }

    /// <summary>Values in a row, whole blocks of <see cref="Type"/>.</summary>
    int Columns { get; }

    /// <summary>Reads a row as it shall be written; rows are read once, in order.</summary>
    void ReadRow(int row, Span<float> values);
}
