using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>Copies between host and device: straight where the host sees the device's memory, else by way of memory that both see.</summary>
internal sealed unsafe class Transfers(VulkanDevice device, CommandLane lane) : IDisposable
{
    /// <summary>Bytes of a piece; two are used in turn, one filled while the other is on its way.</summary>
    private const int PieceBytes = 16 << 20;

    private VulkanBuffer? _staging;
    private int _next;

    /// <summary>Fills a piece.</summary>
    /// <param name="from">First byte of the whole that is wanted.</param>
    /// <param name="piece">Where to write it.</param>
    public delegate void Fill(long from, Span<byte> piece);

    /// <summary>Sends bytes to a buffer, in pieces of whole <paramref name="unit"/>s.</summary>
    public void Send(VulkanBuffer to, long at, long bytes, long unit, Fill fill)
    {
        if (unit > PieceBytes) throw new NotSupportedException($"A row of {unit} bytes is larger than what is sent to the device at a time, {PieceBytes}; no such model is known.");
        long most = PieceBytes / unit * unit;
        for (long from = 0; from < bytes; from += most)
        {
            long first = from, count = Math.Min(most, bytes - from);
            if (to.IsMapped)
            {
                fill(first, to.Span<byte>(at + first, count));
                continue;
            }
            long staged = PieceBytes * (long)(_next ^= 1);
            fill(first, Staging.Span<byte>(staged, count));
            Copy(Staging, staged, to, at + first, count, "sending to the device");
        }
    }

    /// <summary>Waits until all that was sent is there.</summary>
    public void Finish() => lane.Wait("sending to the device");

    /// <summary>Waits until nothing is on its way, before memory is given back that it may go to.</summary>
    public void Settle() => lane.Settle();

    /// <summary>Reads bytes of a buffer that the device is done with.</summary>
    public void Read(BufferSlice from, VulkanBuffer owner, Span<byte> to)
    {
        if (owner.IsMapped && owner.IsCached)
        {
            owner.Span<byte>(from.Offset, to.Length).CopyTo(to);
            return;
        }
        for (long at = 0; to.Length > 0;)
        {
            int count = Math.Min(PieceBytes, to.Length);
            Copy(owner, from.Offset + at, Staging, 0, count, "reading from the device");
            lane.Wait("reading from the device");
            Staging.Span<byte>(0, count).CopyTo(to);
            to = to[count..];
            at += count;
        }
    }

    public void Dispose() => _staging?.Dispose();

    private VulkanBuffer Staging => _staging ??= new VulkanBuffer(device, 2 * PieceBytes, MemoryPlace.Host, "what is sent to the device");

    private void Copy(VulkanBuffer from, long fromAt, VulkanBuffer to, long toAt, long bytes, string what)
    {
        var region = new BufferCopy((ulong)fromAt, (ulong)toAt, (ulong)bytes);
        device.Api.CmdCopyBuffer(lane.Begin(what), from.Handle, to.Handle, 1, &region);
        lane.Send(what);
    }
}
