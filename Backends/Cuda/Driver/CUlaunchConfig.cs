using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cuda;

/// <summary>A launch, as cuLaunchKernelEx takes it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CUlaunchConfig
{
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
    public nint Stream;
    public CUlaunchAttribute* Attributes;
    public uint AttributeCount;
}
