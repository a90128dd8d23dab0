using System.Runtime.InteropServices;

namespace MambaRT.Backends.Vulkan;

/// <summary>The tokens that picks leave out, on the device.</summary>
internal sealed class PickLists : IDisposable
{
    private readonly VulkanBuffer _memory;

    public PickLists(HiddenTokens tokens, VulkanDevice device, Transfers transfers)
    {
        const string What = "the tokens that are not picked";
        Tokens = tokens;
        int[] all = [.. tokens.All];
        _memory = new VulkanBuffer(device, (long)all.Length * sizeof(int), MemoryPlace.Device, What);
        try
        {
            transfers.Send(_memory, 0, (long)all.Length * sizeof(int), sizeof(int), (from, piece) => MemoryMarshal.AsBytes(all.AsSpan()).Slice((int)from, piece.Length).CopyTo(piece));
            transfers.Finish();
        }
        catch
        {
            transfers.Settle();
            _memory.Dispose();
            throw;
        }
    }

    /// <summary>Which they are.</summary>
    public HiddenTokens Tokens { get; }

    /// <summary>The dispatch that picks a token for each sequence of a batch.</summary>
    /// <param name="logits">Rows of logits; those of tokens that are not picked are written over.</param>
    /// <param name="vocabulary">Logits of a row.</param>
    /// <param name="table">The batch, of the same turn.</param>
    /// <param name="last">What was picked for each slot last.</param>
    /// <param name="picked">Where results go.</param>
    /// <param name="turn">Which of its two.</param>
    /// <param name="sequences">Sequences of the bucket.</param>
    /// <param name="mostSequences">Sequences that results have room for.</param>
    public Dispatch PickFrom(BufferSlice logits, int vocabulary, BufferSlice table, BufferSlice last, HostPicked picked, int turn, int sequences, int mostSequences)
    {
        const BufferAccess Both = BufferAccess.Reads | BufferAccess.Writes;
        var push = new PickPush { Vocabulary = (uint)vocabulary, Tokens = (uint)Tokens.Tokens, Unused = (uint)Tokens.Unused, Ends = (uint)Tokens.Ends, SequencesAtMost = (uint)mostSequences };
        return new Dispatch("picks", new ShaderKey("pick"), [new(0, table), new(1, logits, Both), new(2, _memory.Whole), new(3, last, Both), new(4, picked.Memory(turn), BufferAccess.Writes)],
            PushBytes.Of(push), (uint)sequences, 1);
    }

    public void Dispose() => _memory.Dispose();
}
