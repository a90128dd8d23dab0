namespace MambaRT.Backends.Cpu;

/// <summary>Where the fields of a structure lie, as the compiler laid it out: what emitted code adds to a pointer to one.</summary>
internal static unsafe class Fields
{
    /// <summary>Bytes from the beginning of a structure to a field.</summary>
    public static int OffsetOf<T>(FieldOf<T> field) where T : unmanaged
    {
        T probe;
        return (int)((byte*)field(&probe) - (byte*)&probe);
    }
}
