namespace MambaRT.Backends.Vulkan;

/// <summary>Tokens that the device has picked, in memory of the host where its shader writes them, and whether it found a logit that is not finite: of two runs, which may be in flight.</summary>
internal sealed class HostPicked : IDisposable
{
    /// <summary>What every device's bindings may begin at.</summary>
    private const int Alignment = 256;

    private readonly VulkanBuffer _memory;
    private readonly int _sequences;
    private readonly long _bytes;

    public HostPicked(int sequences, VulkanDevice device)
    {
        (_sequences, _bytes) = (sequences, ((sequences + 1L) * sizeof(int) + Alignment - 1) / Alignment * Alignment);
        _memory = new VulkanBuffer(device, 2 * _bytes, MemoryPlace.Host, "picked tokens");
    }

    /// <summary>Where the shader writes in a turn: a token a sequence, and behind as many as there may be what it sets to 1.</summary>
    public BufferSlice Memory(int turn) => _memory.Whole.Part(turn * _bytes, _bytes);

    /// <summary>Begins a turn anew.</summary>
    public void Forget(int turn) => Of(turn)[_sequences] = 0;

    /// <summary>The tokens of a turn whose run is over.</summary>
    public ReadOnlySpan<int> Read(int turn) => Of(turn)[.._sequences];

    /// <summary>Whether its logits were finite.</summary>
    public bool AreFinite(int turn) => Of(turn)[_sequences] == 0;

    public void Dispose() => _memory.Dispose();

    private Span<int> Of(int turn) => _memory.Span<int>(turn * _bytes, _sequences + 1);
}
