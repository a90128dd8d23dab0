using Xunit;

namespace MambaRT.Tests;

/// <summary>A test of the published executable; skipped, with the reason shown, where there is none.</summary>
internal sealed class PublishedFactAttribute : FactAttribute
{
    public PublishedFactAttribute() => Skip = PublishedBinary.Path is null
        ? $"{PublishedBinary.Variable} is not set: publish, then set it to the path of the published mambart." : null;

    /// <summary>Whether the bundled model must lie beside the executable.</summary>
    public bool NeedsModel
    {
        get;
        set
        {
            field = value;
            if (value && PublishedBinary.FindModel() is null) Skip ??= "No bundled model (.gguf) lies beside the published mambart.";
        }
    }

    /// <summary>What else the machine must have.</summary>
    public Needs Needs
    {
        get;
        set
        {
            field = value;
            Skip ??= Machine.Lacks(value);
        }
    }
}
