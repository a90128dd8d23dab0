namespace MambaRT.Devices;

/// <summary>How far loading is. Bytes are those of what is being done: of the file, or of what goes to a device.</summary>
/// <param name="Doing">What is being done, such as "uploading" or "compiling kernels".</param>
/// <param name="Done">Bytes done.</param>
/// <param name="Total">Bytes in all; 0 where that is not known.</param>
public readonly record struct LoadProgress(string Doing, long Done, long Total)
{
    /// <summary>What is told first, with 0 of the file's bytes.</summary>
    public const string Opening = "opening";

    /// <summary>What is told last, with all of them.</summary>
    public const string Ready = "ready";
}
