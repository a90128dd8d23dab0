using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>A tensor that holds NaN or infinity.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Rows">Rows with such values.</param>
/// <param name="FirstRow">The first of them.</param>
internal sealed record NonFiniteTensor(string Name, int Rows, int FirstRow)
{
    /// <summary>Reads a whole file.</summary>
    /// <exception cref="IOException">The file was changed meanwhile.</exception>
    public static IReadOnlyList<NonFiniteTensor> In(GgufFile file)
    {
        var found = new List<NonFiniteTensor>();
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            file.EnsureReadable();
            if (!file.TryGet(tensor.Name, out TensorView view)) continue;
            (int first, int count) = view.NonFiniteRows();
            if (count > 0) found.Add(new NonFiniteTensor(tensor.Name, count, first));
        }
        return found;
    }
}
