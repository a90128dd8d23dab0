namespace MambaRT.Backends.Vulkan;

/// <summary>How a device multiplies four signed bytes by four others and adds up.</summary>
internal enum DotSupport
{
    /// <summary>Shaders cannot ask for it.</summary>
    None,

    /// <summary>In as many instructions as without being asked so.</summary>
    TakenApart,

    /// <summary>In fewer instructions.</summary>
    Accelerated,
}
