using Silk.NET.Core.Contexts;

namespace MambaRT.Backends.Vulkan;

/// <summary>Where Silk.NET finds entry points: its own way would search by reflection and name.</summary>
internal sealed class NativeContext(Func<string, nint> find) : INativeContext
{
    public nint GetProcAddress(string proc, int? slot = null) =>
        TryGetProcAddress(proc, out nint address, slot) ? address : throw new EntryPointNotFoundException($"The Vulkan driver has no {proc}.");

    public bool TryGetProcAddress(string proc, out nint addr, int? slot = null) => (addr = find(proc)) != 0;

    public void Dispose() { }
}
