namespace MambaRT.Backends.Cuda;

/// <summary>What is asked of a device, by the driver's numbers.</summary>
internal enum CUDeviceAttribute
{
    MultiProcessorCount = 16,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerBlockOptIn = 97,
}
