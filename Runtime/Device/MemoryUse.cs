namespace MambaRT.Devices;

/// <summary>What a loaded model holds, in bytes, beyond the mapped file.</summary>
/// <param name="Weights">Decoded or repacked weights.</param>
/// <param name="States">Slots.</param>
/// <param name="Scratch">Activations, logits, and what kernels need between two ops.</param>
/// <param name="OnDevice">Whether it, or some of it, lies in memory of a device of its own, not the host's.</param>
public readonly record struct MemoryUse(long Weights, long States, long Scratch, bool OnDevice)
{
    /// <summary>The sum.</summary>
    public long Total => Weights + States + Scratch;

    /// <summary>What two hold together.</summary>
    public static MemoryUse operator +(MemoryUse a, MemoryUse b) => new(a.Weights + b.Weights, a.States + b.States, a.Scratch + b.Scratch, a.OnDevice || b.OnDevice);
}
