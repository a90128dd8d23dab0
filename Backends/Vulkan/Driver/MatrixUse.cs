namespace MambaRT.Backends.Vulkan;

/// <summary>How products of many rows go.</summary>
internal enum MatrixUse
{
    /// <summary>By tiles in float32.</summary>
    None,
    /// <summary>By the device's cooperative matrices.</summary>
    Cooperative,
    /// <summary>By shaders that do what these would, value by value: for tests.</summary>
    Emulated,
}
