namespace MambaRT.Backends.Cpu;

/// <summary>How weights of a float type are stored.</summary>
internal enum FloatStorage
{
    F32, F16, BF16,
}
