using Xunit;

namespace MambaRT.Tests;

/// <summary>A test of the published executable; skipped, with the reason shown, where there is none.</summary>
public sealed class PublishedFactAttribute : FactAttribute
{
    private readonly string? _noBinary = PublishedBinary.Path is null
        ? $"{PublishedBinary.Variable} is not set: publish, then set it to the path of the published mambart." : null;

    public PublishedFactAttribute() => Skip = _noBinary;

    /// <summary>Whether the bundled model must lie beside the executable.</summary>
    public bool NeedsModel
    {
        get;
        set
        {
            field = value;
            if (value && PublishedBinary.FindModel() is null) Skip = _noBinary ?? "No bundled model (.gguf) lies beside the published mambart.";
        }
    }

    /// <summary>Whether the behaviour is that of the executables for Linux.</summary>
    public bool LinuxOnly
    {
        get;
        set
        {
            field = value;
            if (value && !OperatingSystem.IsLinux()) Skip = _noBinary ?? "Only the executables for Linux do this.";
        }
    }
}
