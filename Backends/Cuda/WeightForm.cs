using MambaRT.Formats;

namespace MambaRT.Backends.Cuda;

/// <summary>How the weights of a storage type lie on the device.</summary>
internal enum WeightLayout
{
    /// <summary>Floats or blocks, as in the file.</summary>
    AsStored,
    /// <summary>Q8_0: all quants, then all scales. The same bytes, so that both are read aligned.</summary>
    Repacked,
    /// <summary>Q6_K: blocks of 210 bytes at multiples of 224, so that they are read aligned.</summary>
    Padded,
    /// <summary>A signed byte a value, then a float32 scale for each sixteen: exactly what the definition decodes to.</summary>
    Expanded,
}

/// <summary>The form a storage type takes on the device.</summary>
/// <param name="Kernels">What the kernels that read it are named for.</param>
/// <param name="Layout">How it lies.</param>
internal readonly record struct WeightForm(string Kernels, WeightLayout Layout)
{
    /// <summary>Bytes from block to block where they are padded.</summary>
    public const int PaddedBlock = 224;

    /// <summary>Whether it is read as blocks, by activations rounded to 8 bits.</summary>
    public bool IsQuantized => Kernels is not ("F32" or "F16" or "BF16");

    /// <summary>Whether it holds floats of 16 bits.</summary>
    public bool IsHalf => Kernels is "F16" or "BF16";

    /// <summary>Whether the kernels of a step, which do several ops at once, read it: those of the types that models are mostly stored in.</summary>
    public bool HasStepKernel => Kernels is "F16" or "BF16" or "Q8_0" or "Q4_K" or "Q5_K" or "Q6_K";

    /// <summary>The one table: which form a type takes.</summary>
    /// <exception cref="NotSupportedException">There is none; the message names the type.</exception>
    public static WeightForm For(QuantType type, string tensor) => type.Name switch
    {
        "F32" or "F16" or "BF16" => new(type.Name, WeightLayout.AsStored),
        "Q8_0" => new(type.Name, WeightLayout.Repacked),
        "Q6_K" => new(type.Name, WeightLayout.Padded),
        "Q4_0" or "Q4_1" or "Q5_0" or "Q5_1" or "Q2_K" or "Q3_K" or "Q4_K" or "Q5_K" or "IQ4_NL" or "IQ4_XS" => new(type.Name, WeightLayout.AsStored),
        _ when WeightExpansion.Has(type) => new("Expanded", WeightLayout.Expanded),
        _ => throw new NotSupportedException($"Tensor '{tensor}' is stored as {type.Name}, which the cuda backend has no kernel for; choose --backend cpu."),
    };

    /// <summary>Bytes of the values and of what lies apart from them.</summary>
    public (long Data, long Scales) Bytes(TensorView view) => Layout switch
    {
        WeightLayout.AsStored => (view.Bytes, 0),
        WeightLayout.Padded => (view.Bytes / view.Type.BlockBytes * PaddedBlock, 0),
        WeightLayout.Repacked => ((long)view.Rows * view.Columns, (long)view.Rows * (view.Columns / 32) * sizeof(ushort)),
        _ => ((long)view.Rows * view.Columns, (long)view.Rows * (view.Columns / 16) * sizeof(float)),
    };
}
