using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>Values that pieces of a plan hand to one another, in memory of the host: for every row of a batch those of one value, then those of the next.</summary>
internal sealed unsafe class CarriedRows : IDisposable
{
    private readonly VulkanDevice _device;
    private readonly ArenaMemory _arena;
    private readonly Activation[] _values;
    private readonly VulkanBuffer? _host;
    private readonly int _capacity, _width;

    public CarriedRows(ReadOnlySpan<Activation> values, BatchShape shape, ArenaMemory arena, VulkanDevice device)
    {
        (_device, _arena, _values, _capacity) = (device, arena, values.ToArray(), shape.Tokens);
        foreach (Activation value in values) _width += value.Width;
        if (_width > 0) _host = new VulkanBuffer(device, (long)_width * _capacity * sizeof(float), MemoryPlace.Host, "what pieces of a plan hand on");
    }

    /// <summary>Takes what a batch came with.</summary>
    public void Fill(ReadOnlySpan<float> carried, int rows)
    {
        long at = 0;
        foreach (Activation value in _values)
        {
            carried[..(rows * value.Width)].CopyTo(_host!.Span<float>(at, (long)rows * value.Width));
            carried = carried[(rows * value.Width)..];
            at += (long)_capacity * value.Width * sizeof(float);
        }
    }

    /// <summary>Hands out what a run left.</summary>
    public ReadOnlySpan<float> Read(int rows, ref float[] to)
    {
        if (_width == 0) return default;
        if (to.Length < rows * _width) to = new float[_capacity * _width];
        long at = 0;
        int next = 0;
        foreach (Activation value in _values)
        {
            _host!.Span<float>(at, (long)rows * value.Width).CopyTo(to.AsSpan(next));
            next += rows * value.Width;
            at += (long)_capacity * value.Width * sizeof(float);
        }
        return to.AsSpan(0, next);
    }

    /// <summary>Copies rows to the arena.</summary>
    public void Send(CommandBuffer commands, int rows) => Copy(commands, rows, toArena: true);

    /// <summary>Copies rows from the arena.</summary>
    public void Bring(CommandBuffer commands, int rows) => Copy(commands, rows, toArena: false);

    public void Dispose() => _host?.Dispose();

    private void Copy(CommandBuffer commands, int rows, bool toArena)
    {
        if (_host is null || rows == 0) return;
        long at = 0;
        var regions = new BufferCopy[rows];
        foreach (Activation value in _values)
        {
            RowsPlace place = _arena[value];
            ulong bytes = (ulong)value.Width * sizeof(float);
            for (int row = 0; row < rows; row++)
            {
                ulong arena = (ulong)(place.Memory.Offset + (place.At + (long)row * place.Stride) * sizeof(float)), host = (ulong)at + (ulong)row * bytes;
                regions[row] = toArena ? new BufferCopy(host, arena, bytes) : new BufferCopy(arena, host, bytes);
            }
            fixed (BufferCopy* to = regions)
                _device.Api.CmdCopyBuffer(commands, toArena ? _host.Handle : place.Owner.Handle, toArena ? place.Owner.Handle : _host.Handle, (uint)rows, to);
            at += (long)_capacity * value.Width * sizeof(float);
        }
    }
}
