using System.Runtime.InteropServices;
using MambaRT.Formats;

namespace MambaRT.Devices;

/// <summary>The form a storage type takes on GPUs, the same on all of them, and how weights are brought into it.</summary>
/// <param name="Kernels">What the kernels that read it are named for.</param>
/// <param name="Layout">How it lies.</param>
public readonly record struct WeightForm(string Kernels, WeightLayout Layout)
{
    /// <summary>Bytes from block to block where they are padded.</summary>
    public const int PaddedBlock = 224;

    /// <summary>Values of a block of Q8_0, its bytes, and the values that share a scale where they are expanded.</summary>
    private const int RepackedValues = 32, RepackedBlock = 34, ExpandedValues = 16;

    /// <summary>Whether it is read as blocks.</summary>
    public bool IsQuantized => Kernels is not ("F32" or "F16" or "BF16");

    /// <summary>Whether it holds floats of 16 bits.</summary>
    public bool IsHalf => Kernels is "F16" or "BF16";

    /// <summary>The form of a weight of a plan.</summary>
    /// <exception cref="NotSupportedException">There is none; the message names tensor and type.</exception>
    public static WeightForm For(WeightSpec spec, TensorView view) => spec.IsDecoded ? new("F32", WeightLayout.Decoded) : For(view.Type, spec.Name);

    /// <summary>The one table: which form a type takes.</summary>
    /// <exception cref="NotSupportedException">There is none; the message names tensor and type.</exception>
    public static WeightForm For(QuantType type, string tensor)
    {
        ArgumentNullException.ThrowIfNull(type);
        return type.Name switch
        {
            "F32" or "F16" or "BF16" => new(type.Name, WeightLayout.AsStored),
            "Q8_0" => new(type.Name, WeightLayout.Repacked),
            "Q6_K" => new(type.Name, WeightLayout.Padded),
            "Q4_0" or "Q4_1" or "Q5_0" or "Q5_1" or "Q2_K" or "Q3_K" or "Q4_K" or "Q5_K" or "IQ4_NL" or "IQ4_XS" => new(type.Name, WeightLayout.AsStored),
            _ when WeightExpansion.Has(type) => new("Expanded", WeightLayout.Expanded),
            _ => throw new NotSupportedException($"Tensor '{tensor}' is stored as {type.Name}, which GPUs have no kernel for; choose --backend cpu."),
        };
    }

    /// <summary>Bytes of the values, and of the scales that lie apart from them.</summary>
    public (long Data, long Scales) Bytes(TensorView view) => Layout switch
    {
        WeightLayout.AsStored => (view.Bytes, 0),
        WeightLayout.Decoded => ((long)view.Rows * view.Columns * sizeof(float), 0),
        WeightLayout.Padded => (view.Bytes / view.Type.BlockBytes * PaddedBlock, 0),
        WeightLayout.Repacked => ((long)view.Rows * view.Columns, (long)view.Rows * (view.Columns / RepackedValues) * sizeof(ushort)),
        _ => ((long)view.Rows * view.Columns, (long)view.Rows * (view.Columns / ExpandedValues) * sizeof(float)),
    };

    /// <summary>What pieces of the values are multiples of.</summary>
    public long DataUnit(TensorView view) => Layout switch
    {
        WeightLayout.AsStored => 1,
        WeightLayout.Decoded => (long)view.Columns * sizeof(float),
        WeightLayout.Padded => PaddedBlock,
        _ => view.Columns,
    };

    /// <summary>What pieces of the scales are multiples of.</summary>
    public long ScalesUnit(TensorView view) => Layout == WeightLayout.Repacked ? view.Columns / RepackedValues * sizeof(ushort) : view.Columns / ExpandedValues * sizeof(float);

    /// <summary>Brings a piece of the values into this form.</summary>
    /// <param name="view">The weights.</param>
    /// <param name="from">The first byte of the form that is wanted, a multiple of <see cref="DataUnit"/>.</param>
    /// <param name="piece">Whole units, overwritten and not read.</param>
    public void WriteData(TensorView view, long from, Span<byte> piece)
    {
        if (view.IsContiguous) WriteRows(view, from, piece);
        else ByRows(view, Bytes(view).Data / view.Rows, from, piece, WriteRows);
    }

    /// <summary>Brings a piece of the scales into this form.</summary>
    /// <param name="view">The weights.</param>
    /// <param name="from">The first byte of the scales that is wanted, a multiple of <see cref="ScalesUnit"/>.</param>
    /// <param name="piece">Whole units, overwritten and not read.</param>
    public void WriteScales(TensorView view, long from, Span<byte> piece)
    {
        if (Layout != WeightLayout.Repacked) Expand(view, (int)(from / ScalesUnit(view)), piece, scales: true);
        else if (view.IsContiguous) RepackScales(view, from, piece);
        else ByRows(view, ScalesUnit(view), from, piece, RepackScales);
    }

    private delegate void Writer(TensorView view, long from, Span<byte> piece);

    /// <summary>Some columns of a wider matrix: each row as a matrix of its own.</summary>
    private static void ByRows(TensorView view, long rowBytes, long from, Span<byte> piece, Writer write)
    {
        for (int some; piece.Length > 0; piece = piece[some..], from += some)
        {
            some = (int)Math.Min(piece.Length, rowBytes - from % rowBytes);
            write(view.RowAlone((int)(from / rowBytes)), from % rowBytes, piece[..some]);
        }
    }

    private void WriteRows(TensorView view, long from, Span<byte> piece)
    {
        switch (Layout)
        {
            case WeightLayout.AsStored: view.Part(from, piece.Length).CopyTo(piece); break;
            case WeightLayout.Decoded: Decode(view, from, piece); break;
            case WeightLayout.Padded: Pad(view, from, piece); break;
            case WeightLayout.Repacked: Repack(view, from, piece); break;
            default: Expand(view, (int)(from / DataUnit(view)), piece, scales: false); break;
        }
    }

    private static void Decode(TensorView view, long from, Span<byte> piece)
    {
        Span<float> values = MemoryMarshal.Cast<byte, float>(piece);
        int row = (int)(from / sizeof(float) / view.Columns);
        for (int at = 0; at < values.Length; at += view.Columns, row++) view.DecodeRow(row, values.Slice(at, view.Columns));
    }

    private static void Pad(TensorView view, long from, Span<byte> piece)
    {
        int block = view.Type.BlockBytes;
        ReadOnlySpan<byte> blocks = view.Part(from / PaddedBlock * block, piece.Length / PaddedBlock * block);
        for (; piece.Length > 0; piece = piece[PaddedBlock..], blocks = blocks[block..])
        {
            blocks[..block].CopyTo(piece);
            piece[block..PaddedBlock].Clear();
        }
    }

    private static void Repack(TensorView view, long from, Span<byte> piece)
    {
        ReadOnlySpan<byte> blocks = view.Part(from / RepackedValues * RepackedBlock, checked(piece.Length / RepackedValues * RepackedBlock));
        for (; piece.Length > 0; piece = piece[RepackedValues..], blocks = blocks[RepackedBlock..]) blocks[sizeof(ushort)..RepackedBlock].CopyTo(piece);
    }

    private static void RepackScales(TensorView view, long from, Span<byte> piece)
    {
        ReadOnlySpan<byte> blocks = view.Part(from / sizeof(ushort) * RepackedBlock, checked(piece.Length / sizeof(ushort) * RepackedBlock));
        for (; piece.Length > 0; piece = piece[sizeof(ushort)..], blocks = blocks[RepackedBlock..]) blocks[..sizeof(ushort)].CopyTo(piece);
    }

    /// <summary>Rows are made by all threads, a few at a time each into room of its own: what is made of a row is copied.</summary>
    private static void Expand(TensorView view, int firstRow, Span<byte> piece, bool scales)
    {
        const int RowsAtOnce = 64;
        int columns = view.Columns, unit = scales ? columns / ExpandedValues * sizeof(float) : columns;
        byte[] made = new byte[Math.Min(RowsAtOnce, piece.Length / unit) * unit];
        for (int row = firstRow; piece.Length > 0; row += RowsAtOnce)
        {
            int count = Math.Min(RowsAtOnce, piece.Length / unit), first = row;
            Parallel.For(0, count, () => (new float[columns], new sbyte[columns], new float[columns / ExpandedValues]), (i, _, room) =>
            {
                WeightExpansion.Expand(view.Type, view.Row(first + i), room.Item1, room.Item2, room.Item3);
                ReadOnlySpan<byte> bytes = scales ? MemoryMarshal.AsBytes(room.Item3.AsSpan()) : MemoryMarshal.AsBytes(room.Item2.AsSpan());
                bytes.CopyTo(made.AsSpan(i * unit, unit));
                return room;
            }, _ => { });
            made.AsSpan(0, count * unit).CopyTo(piece);
            piece = piece[(count * unit)..];
        }
    }
}
