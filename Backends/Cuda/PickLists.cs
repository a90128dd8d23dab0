namespace MambaRT.Backends.Cuda;

/// <summary>The tokens that picks leave out, on the device.</summary>
internal sealed unsafe class PickLists : IDisposable
{
    private readonly CudaDeviceMemory _memory;
    private readonly HiddenTokens _hidden;

    /// <param name="vocabulary">Logits of a row.</param>
    /// <param name="neverPicked">See <see cref="LoadOptions.NeverPicked"/>.</param>
    /// <param name="ends">See <see cref="LoadOptions.EndTokens"/>.</param>
    /// <param name="stream">Brings them there.</param>
    public PickLists(int vocabulary, IReadOnlyList<int> neverPicked, IReadOnlyList<int> ends, CudaStream stream)
    {
        _hidden = new HiddenTokens(vocabulary, neverPicked, ends);
        int[] all = [.. _hidden.All];
        _memory = new CudaDeviceMemory(all.Length * sizeof(int), "the tokens that are not picked");
        if (all.Length == 0) return;
        try
        {
            fixed (int* from = all)
            {
                stream.CopyToDevice(_memory.Address, from, all.Length * sizeof(int));
                stream.Synchronize("the tokens that are not picked");
            }
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="HiddenTokens.Hidden"/>
    public int Hidden(in TokenPick pick) => _hidden.Hidden(pick);

    /// <summary>Adds the launch that picks a token for each sequence of a batch.</summary>
    public void AddPick(LaunchList launches, KernelLibrary kernels, BatchTable table, int sequences, MatrixPointer logits, DeviceSlots slots, HostPicked results, int turn)
    {
        const int Threads = 512, TokensOfThread = 8, Warp = 32;
        int threads = Math.Min(Threads, Grid.Parts(_hidden.Tokens, TokensOfThread * Warp) * Warp);
        launches.Add("pick", kernels.Function("pick", "pick"), sequences, 1, threads, new PickArguments
        {
            Batch = table.Pointers,
            Picks = table.Picks,
            Logits = logits,
            Hidden = _memory.Address,
            Tokens = _hidden.Tokens,
            Unused = _hidden.Unused,
            Ends = _hidden.Ends,
            Last = slots.LastPickAt,
            Picked = results.Tokens(turn),
            NotFinite = results.NotFinite(turn),
        });
    }

    public void Dispose() => _memory.Dispose();
}
