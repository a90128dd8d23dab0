namespace MambaRT.Backends.Vulkan;

/// <summary>Rows of float32 on the device.</summary>
/// <param name="Owner">The buffer.</param>
/// <param name="Memory">The whole value, of which columns may be left out.</param>
/// <param name="At">Where the first row begins, in floats.</param>
/// <param name="Stride">Floats from row to row.</param>
/// <param name="Width">Columns.</param>
internal readonly record struct RowsPlace(VulkanBuffer Owner, BufferSlice Memory, int At, int Stride, int Width)
{
    /// <summary>Whether rows can be read sixteen bytes at a time.</summary>
    public bool IsWide => At % 4 == 0 && Stride % 4 == 0 && Width % 4 == 0;

    /// <summary>What shaders are told of it.</summary>
    public Rows Pushed => new() { At = (uint)At, Stride = (uint)Stride };
}
