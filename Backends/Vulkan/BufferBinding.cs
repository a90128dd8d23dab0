namespace MambaRT.Backends.Vulkan;

/// <summary>Memory that a shader is given under a number.</summary>
/// <param name="Number">The binding's.</param>
/// <param name="Memory">The memory.</param>
/// <param name="Access">What the shader does with it.</param>
internal readonly record struct BufferBinding(uint Number, BufferSlice Memory, BufferAccess Access = BufferAccess.Reads);
