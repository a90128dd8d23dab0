using MambaRT.Formats;

namespace MambaRT.Conversion;

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

    /// <summary>Reads a row as it shall be written. Several threads read at once, in any order.</summary>
    void ReadRow(int row, Span<float> values);

    /// <summary>The row's bytes where it is stored as <see cref="Type"/> already and shall be copied, else none.</summary>
    ReadOnlySpan<byte> StoredRow(int row) => default;

    /// <summary>Told of every row, in order, when it is written: its memory is not needed any more.</summary>
    void Written(int row)
    {
    }
}
