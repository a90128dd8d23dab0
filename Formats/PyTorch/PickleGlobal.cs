namespace MambaRT.Formats;

/// <summary>A name that a pickle imports, one of the few that are allowed.</summary>
/// <param name="Name">Module and name, "collections OrderedDict".</param>
internal sealed record PickleGlobal(string Name)
{
    public const string RebuildTensor = "torch._utils _rebuild_tensor_v2";
    public const string RebuildParameter = "torch._utils _rebuild_parameter";
    public const string OrderedDictionary = "collections OrderedDict";

    private static readonly Dictionary<string, string> ElementTypes = new(StringComparer.Ordinal)
    {
        ["torch FloatStorage"] = "F32",
        ["torch HalfStorage"] = "F16",
        ["torch BFloat16Storage"] = "BF16",
        ["torch DoubleStorage"] = "F64",
        ["torch LongStorage"] = "I64",
        ["torch IntStorage"] = "I32",
        ["torch ShortStorage"] = "I16",
        ["torch CharStorage"] = "I8",
        ["torch ByteStorage"] = "U8",
        ["torch BoolStorage"] = "BOOL",
    };

    /// <summary>What the elements of a storage class are stored as; null for another name.</summary>
    public string? ElementType => ElementTypes.GetValueOrDefault(Name);

    /// <summary>Whether a pickle may name it: nothing else is, so nothing in a file can be run.</summary>
    public bool IsAllowed => Name is RebuildTensor or RebuildParameter or OrderedDictionary || ElementType is not null;
}
