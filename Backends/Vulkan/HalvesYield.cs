namespace MambaRT.Backends.Vulkan;

/// <summary>What an op's shader writes beside or in the place of floats (halves.glsl).</summary>
/// <param name="Kind">Floats, both or halves, as shaders number them.</param>
/// <param name="Memory">Where halves go.</param>
/// <param name="Stride">Halves from one row to the next.</param>
internal readonly record struct HalvesYield(uint Kind, BufferSlice Memory, uint Stride)
{
    /// <summary>Floats alone, floats and halves, halves alone.</summary>
    public const uint Floats = 0, Both = 1, Halves = 2;
}
