namespace MambaRT;

/// <summary>What a model will take, told before it is opened.</summary>
/// <param name="File">Bytes of the file.</param>
/// <param name="IsCopied">Whether they are read into memory instead of mapped.</param>
/// <param name="Use">What is taken beyond them.</param>
public readonly record struct MemoryEstimate(long File, bool IsCopied, MemoryUse Use)
{
    /// <summary>Bytes that are taken beyond what is mapped: a <see cref="Formats.HostMemory.Limit"/> of as many is enough.</summary>
    public long Total => Use.Total + (IsCopied ? File : 0);
}
