namespace MambaRT.Backends.Cuda;

/// <summary>The tokens that picks leave out, on the device: those that stand for nothing, then those that end a text.</summary>
internal sealed unsafe class PickLists : IDisposable
{
    private readonly CudaDeviceMemory _memory;

    /// <param name="vocabulary">Logits of a row.</param>
    /// <param name="neverPicked">See <see cref="LoadOptions.NeverPicked"/>.</param>
    /// <param name="ends">See <see cref="LoadOptions.EndTokens"/>.</param>
    /// <param name="stream">Brings them there.</param>
    public PickLists(int vocabulary, IReadOnlyList<int> neverPicked, IReadOnlyList<int> ends, CudaStream stream)
    {
        Unused = neverPicked.Count;
        for (Tokens = vocabulary; Unused > 0 && neverPicked[Unused - 1] == Tokens - 1; Unused--) Tokens--;   // rows at the end are not even looked at
        int[] all = [.. neverPicked.Take(Unused), .. ends];
        Ends = ends.Count;
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

    /// <summary>Tokens up to the last that stands for something.</summary>
    public int Tokens { get; }

    /// <summary>Those below that stand for nothing.</summary>
    public int Unused { get; }

    /// <summary>Those that end a text.</summary>
    public int Ends { get; }

    /// <summary>Where the list lies.</summary>
    public ulong Address => _memory.Address;

    /// <summary>How many of the list a pick leaves out.</summary>
    public int Hidden(in TokenPick pick) => pick.NoEnds ? Unused + Ends : Unused;

    /// <summary>Adds the launch that picks a token for each sequence of a batch.</summary>
    public void AddPick(LaunchList launches, KernelLibrary kernels, BatchTable table, int sequences, MatrixPointer logits, DeviceSlots slots, HostPicked results, int turn)
    {
        const int Threads = 512, TokensOfThread = 8, Warp = 32;
        int threads = Math.Min(Threads, Grid.Parts(Tokens, TokensOfThread * Warp) * Warp);
        launches.Add("pick", kernels.Function("pick", "pick"), sequences, 1, threads, new PickArguments
        {
            Batch = table.Pointers,
            Picks = table.Picks,
            Logits = logits,
            Hidden = Address,
            Tokens = Tokens,
            Unused = Unused,
            Ends = Ends,
            Last = slots.LastPickAt,
            Picked = results.Tokens(turn),
            NotFinite = results.NotFinite(turn),
        });
    }

    public void Dispose() => _memory.Dispose();
}
