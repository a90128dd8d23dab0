namespace MambaRT.Backends.Vulkan;

/// <summary>What dispatches since the last barrier read and wrote: whether the next must wait for them.</summary>
internal sealed class Hazards
{
    private readonly List<BufferSlice> _read = [], _written = [];

    /// <summary>Notes a dispatch, and says whether a barrier has to stand in front of it: it reads what was written, or writes what was read or written.</summary>
    public bool Note(ReadOnlySpan<BufferBinding> bindings)
    {
        bool waits = Meets(bindings);
        if (waits) Forget();
        foreach (BufferBinding binding in bindings)
        {
            if (binding.Access.HasFlag(BufferAccess.Reads)) _read.Add(binding.Memory);
            if (binding.Access.HasFlag(BufferAccess.Writes)) _written.Add(binding.Memory);
        }
        return waits;
    }

    /// <summary>A barrier was put by somebody else.</summary>
    public void Forget()
    {
        _read.Clear();
        _written.Clear();
    }

    private bool Meets(ReadOnlySpan<BufferBinding> bindings)
    {
        foreach (BufferBinding binding in bindings)
        {
            foreach (BufferSlice written in _written)
                if (written.Overlaps(binding.Memory)) return true;
            if (!binding.Access.HasFlag(BufferAccess.Writes)) continue;
            foreach (BufferSlice read in _read)
                if (read.Overlaps(binding.Memory)) return true;
        }
        return false;
    }
}
