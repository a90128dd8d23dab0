namespace MambaRT.Backends.Vulkan;

/// <summary>What a shader does with memory.</summary>
[Flags]
internal enum BufferAccess
{
    /// <summary>It reads.</summary>
    Reads = 1,
    /// <summary>It writes.</summary>
    Writes = 2,
}
