namespace MambaRT.Formats;

/// <summary>A file of named tensors as model hubs have them: safetensors, or PyTorch's container.</summary>
/// <remarks>Safe to read from several threads; dispose when nobody uses its tensors any more.</remarks>
public interface ICheckpointFile : IDisposable
{
    /// <summary>The path as given.</summary>
    string Path { get; }

    /// <summary>All tensors, of any element type, in the order of the file.</summary>
    IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>Throws <see cref="IOException"/> when the file changed since it was opened, so that its tensors cannot be read safely.</summary>
    void EnsureReadable();
}
