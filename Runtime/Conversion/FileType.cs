using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>The number in general.file_type: what most tensors of a file are stored as.</summary>
internal static class FileType
{
    /// <summary>The number llama.cpp gives a file whose matrices are of <paramref name="type"/> (enum llama_ftype), or null where it has none.</summary>
    public static uint? Of(QuantType type) => type.Name switch
    {
        "F32" => 0,
        "F16" => 1,
        "Q4_0" => 2,
        "Q4_1" => 3,
        "Q8_0" => 7,
        "Q5_0" => 8,
        "Q5_1" => 9,
        "Q2_K" => 10,
        "Q3_K" => 11,
        "Q4_K" => 14,
        "Q5_K" => 16,
        "Q6_K" => 18,
        "IQ4_NL" => 25,
        "IQ4_XS" => 30,
        "BF16" => 32,
        _ => null,
    };
}
