namespace MambaRT.Backends.Vulkan;

/// <summary>Memory that a shader is given under a number.</summary>
/// <param name="Number">The binding's.</param>
/// <param name="Memory">The memory.</param>
/// <param name="Access">What the shader does with it.</param>
internal readonly record struct BufferBinding(uint Number, BufferSlice Memory, BufferAccess Access = BufferAccess.Reads)
{
    /// <summary>Numbers of weights as texels (weights.glsl): their words, the same memory sixteen bytes at a time, and their scales; of x and the weights of its norm.</summary>
    public const uint Words = 13, Quads = 14, Scales = 15, X = 16, Norm = 17;

    /// <summary>Numbers of what a step of a scan reads as texels (step.comp).</summary>
    public const uint B = 18, C = 19, A = 20, State = 21;

    /// <summary>Whether texels are four words, and not one.</summary>
    public bool IsQuads => Number is Quads or X or Norm;
}
