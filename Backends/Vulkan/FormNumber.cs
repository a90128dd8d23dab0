namespace MambaRT.Backends.Vulkan;

/// <summary>The numbers by which shaders know the forms of weights (weights.glsl).</summary>
internal static class FormNumber
{
    private static readonly string[] Names =
        ["F32", "F16", "BF16", "Q8_0", "Expanded", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "IQ4_XS", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"];

    /// <summary>The number of a form.</summary>
    public static uint Of(WeightForm form) => (uint)Array.IndexOf(Names, form.Kernels);

    /// <summary>Whether shaders read a form.</summary>
    public static bool Has(WeightForm form) => Array.IndexOf(Names, form.Kernels) >= 0;
}
