namespace MambaRT.Backends.Vulkan;

/// <summary>A shader with its constants: what a pipeline is made of.</summary>
/// <param name="name">Its file in Shaders/glsl, and its variant.</param>
/// <param name="constants">Its constant_id 1 and on.</param>
internal sealed class ShaderKey(string name, params uint[] constants) : IEquatable<ShaderKey>
{
    /// <summary>The shader's name.</summary>
    public string Name => name;

    /// <summary>The values of its constants, from constant_id 1 on.</summary>
    public ReadOnlySpan<uint> Constants => constants;

    public bool Equals(ShaderKey? other) => other is not null && name == other.Name && Constants.SequenceEqual(other.Constants);

    public override bool Equals(object? obj) => Equals(obj as ShaderKey);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(name);
        foreach (uint constant in constants) hash.Add(constant);
        return hash.ToHashCode();
    }
}
