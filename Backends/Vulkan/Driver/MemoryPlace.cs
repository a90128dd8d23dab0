namespace MambaRT.Backends.Vulkan;

/// <summary>Where a buffer lies.</summary>
internal enum MemoryPlace
{
    /// <summary>In memory of the device's own; mapped as well where the host sees all of that.</summary>
    Device,
    /// <summary>In memory of the host that the device can copy from and to.</summary>
    Host,
}
