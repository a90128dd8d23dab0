namespace MambaRT.Devices;

/// <summary>The device of a backend.</summary>
/// <param name="Name">As its maker or the system calls it.</param>
/// <param name="MemoryBytes">Memory of the device, or what this process may use of the host's.</param>
/// <param name="SharesHostMemory">Whether weights are used where the file is mapped, so that they need no memory of the device's own.</param>
/// <param name="ChunkTokens">Tokens of a prompt that it runs best at a time.</param>
/// <param name="MostTokens">Tokens that it runs at a time at most, which bounds what <see cref="ModelOptions.ChunkTokens"/> asks for.</param>
public sealed record DeviceDescription(string Name, long MemoryBytes, bool SharesHostMemory, int ChunkTokens = 256, int MostTokens = int.MaxValue)
{
    /// <summary>The memory that this process may use of the machine's.</summary>
    public static long HostMemoryBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
