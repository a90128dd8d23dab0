namespace MambaRT.Backends.Vulkan;

/// <summary>A shader with its constants: what a pipeline is made of.</summary>
/// <param name="Name">Its file in Shaders/glsl, and its variant.</param>
/// <param name="C1">Its constant_id 1, and so on; those it has not are not looked at.</param>
/// <param name="C2">The second.</param>
/// <param name="C3">The third.</param>
/// <param name="C4">The fourth.</param>
internal readonly record struct ShaderKey(string Name, uint C1 = 0, uint C2 = 0, uint C3 = 0, uint C4 = 0);
