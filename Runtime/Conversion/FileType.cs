using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>The number in general.file_type: what most tensors of a file are stored as.</summary>
internal static class FileType
{
    /// <summary>The number llama.cpp gives a file whose matrices are of <paramref name="type"/> (enum llama_ftype), or null where it has none.</summary>
    public static uint? Of(QuantType type)
    {
        foreach (QuantTarget target in QuantTarget.All)
            if (target.Type == type) return target.FileType;
        return null;
    }
}
