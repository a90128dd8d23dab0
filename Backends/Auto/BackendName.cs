using System.Globalization;

namespace MambaRT.Backends.Auto;

/// <summary>A backend's name in its parts: "cuda:1:exact" is the second device of a kind, held to something.</summary>
/// <param name="Kind">What runs the model.</param>
/// <param name="Device">The device's number, from 0.</param>
/// <param name="Variant">What it is held to; empty for nothing.</param>
internal readonly record struct BackendName(string Kind, int Device, string Variant)
{
    public const string Cpu = "cpu", Cuda = "cuda", Vulkan = "vulkan", Reference = "reference";

    /// <summary>The kinds there are, what each may be held to, and whether it may have several devices.</summary>
    private static readonly (string Kind, string[] Variants, bool HasDevices)[] Kinds =
        [(Cpu, ["vnni", "avx2"], false), (Cuda, ["exact", "sm80"], true), (Vulkan, ["exact", "plain"], true), (Reference, [], false)];

    /// <summary>Every kind.</summary>
    public static IEnumerable<string> AllKinds => Kinds.Select(k => k.Kind);

    /// <summary>What each kind may be held to, and its second device.</summary>
    public static IEnumerable<string> Examples =>
        Kinds.SelectMany(k => (IEnumerable<string>)[.. k.Variants.Select(v => $"{k.Kind}:{v}"), .. k.HasDevices ? [$"{k.Kind}:1"] : Array.Empty<string>()]);

    /// <summary>Reads a name, in letters of any size; null where there is no such backend.</summary>
    public static BackendName? Read(string name)
    {
        string[] parts = name.ToLowerInvariant().Split(':');
        foreach ((string kind, string[] variants, bool hasDevices) in Kinds)
        {
            if (parts[0] != kind) continue;
            int device = 0, next = 1;
            if (hasDevices && parts.Length > next && int.TryParse(parts[next], NumberStyles.None, CultureInfo.InvariantCulture, out device)) next++;
            string variant = parts.Length > next && variants.Contains(parts[next]) ? parts[next++] : "";
            return next == parts.Length ? new BackendName(kind, device, variant) : null;
        }
        return null;
    }

    /// <summary>The name in its shortest spelling.</summary>
    public override string ToString() => $"{Kind}{(Device == 0 ? "" : $":{Device}")}{(Variant.Length == 0 ? "" : $":{Variant}")}";
}
