using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cuda;

/// <summary>An attribute of a launch: a number of the driver's, and at 8 bytes a value of up to 64.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct CUlaunchAttribute
{
    /// <summary>The launch may begin before the one before it on the stream has ended.</summary>
    public const int ProgrammaticStreamSerialization = 6;

    [FieldOffset(0)] public int Id;
    [FieldOffset(8)] public int Value;
}
