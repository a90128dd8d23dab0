namespace MambaRT.Backends.Cuda;

/// <summary>Tokens that the device has picked in page-locked memory, where its kernel writes them, and whether it found a logit that is not finite: of two runs, which may be in flight.</summary>
internal sealed unsafe class HostPicked(int sequences) : IDisposable
{
    private readonly CudaRegisteredHostMemory _memory = new(2L * (sequences + 1) * sizeof(int));

    /// <summary>Where the kernel writes the tokens of a turn.</summary>
    public ulong Tokens(int turn) => _memory.Device + (ulong)(turn * (sequences + 1) * sizeof(int));

    /// <summary>What it sets to 1.</summary>
    public ulong NotFinite(int turn) => Tokens(turn) + (ulong)sequences * sizeof(int);

    /// <summary>Begins a turn anew.</summary>
    public void Forget(int turn) => Of(turn)[sequences] = 0;

    /// <summary>The tokens of a turn whose run is over.</summary>
    public ReadOnlySpan<int> Read(int turn) => Of(turn)[..sequences];

    /// <summary>Whether its logits were finite.</summary>
    public bool AreFinite(int turn) => Of(turn)[sequences] == 0;

    public void Dispose() => _memory.Dispose();

    private Span<int> Of(int turn) => _memory.Span<int>((long)turn * (sequences + 1) * sizeof(int), sequences + 1);
}
