using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>All tensors of a checkpoint's folder, in one file or spread over several with an index, under the names of the -hf checkpoints.</summary>
internal sealed class CheckpointWeights : IDisposable
{
    private const string IndexSuffix = ".index.json";

    // In the order in which they are looked for: transformers, Mistral's own layout, older checkpoints.
    private static readonly (string Name, Func<string, ICheckpointFile> Open)[] Kinds =
    [
        ("model.safetensors", path => SafetensorsFile.Open(path)),
        ("consolidated.safetensors", path => SafetensorsFile.Open(path)),
        ("pytorch_model.bin", PyTorchFile.Open),
    ];

    private readonly List<ICheckpointFile> _files = [];
    private readonly Dictionary<string, CheckpointTensor> _tensors = new(StringComparer.Ordinal);

    private CheckpointWeights(string path) => Path = path;

    /// <summary>The file, or the index of several.</summary>
    public string Path { get; }

    /// <summary>Every tensor by its -hf name.</summary>
    public IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <summary>Names of files that a checkpoint may consist of.</summary>
    public static IEnumerable<string> FileNames => Kinds.SelectMany(kind => (string[])[kind.Name, kind.Name + IndexSuffix]);

    /// <summary>Opens the weights of a folder and checks that they are complete.</summary>
    /// <exception cref="IOException">There are none, or a file is missing or cannot be read.</exception>
    /// <exception cref="FormatException">A file is damaged, a tensor is there twice, or the index and the files disagree.</exception>
    /// <exception cref="NotSupportedException">The weights are stored in an unknown way.</exception>
    public static CheckpointWeights Open(string directory)
    {
        foreach ((string name, Func<string, ICheckpointFile> open) in Kinds)
        {
            string path = System.IO.Path.Combine(directory, name);
            if (File.Exists(path)) return Open(path, weights => weights.Add(open(path)));
            if (File.Exists(path + IndexSuffix)) return Open(path + IndexSuffix, weights => weights.AddIndexed(directory, open));
        }
        throw new FileNotFoundException($"{directory}: there are no weights; one of {string.Join(", ", Kinds.Select(kind => kind.Name))} or its {IndexSuffix} is needed. Download the whole checkpoint.");
    }

    /// <summary>Throws <see cref="IOException"/> when a file changed since it was opened.</summary>
    public void EnsureReadable()
    {
        foreach (ICheckpointFile file in _files) file.EnsureReadable();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ICheckpointFile file in _files) file.Dispose();
    }

    private static CheckpointWeights Open(string path, Action<CheckpointWeights> add)
    {
        var weights = new CheckpointWeights(path);
        try
        {
            add(weights);
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private void AddIndexed(string directory, Func<string, ICheckpointFile> open)
    {
        Dictionary<string, string> fileOf = ReadIndex();
        string[] names = [.. fileOf.Values.Distinct(StringComparer.Ordinal)];
        for (int i = 0; i < names.Length; i++)
        {
            string path = System.IO.Path.Combine(directory, names[i]);
            if (!File.Exists(path))
                throw new FileNotFoundException($"{Path}: part {i + 1} of {names.Length} is missing: there is no file '{HubConfig.Show(names[i])}' beside the index; download the whole checkpoint.", path);
            ICheckpointFile file = open(path);
            Add(file);
            foreach (CheckpointTensor tensor in file.Tensors)
                if (!fileOf.Remove(tensor.Name, out string? expected) || expected != names[i])
                    throw new FormatException($"{path}: tensor '{HubConfig.Show(tensor.Name)}' is in this file, but the index places it {(expected is null ? "nowhere" : $"in '{HubConfig.Show(expected)}'")}; download index and files again.");
        }
        foreach ((string tensor, string file) in fileOf)
            throw new FormatException($"{Path}: tensor '{HubConfig.Show(tensor)}' should be in '{HubConfig.Show(file)}' and is not; download index and files again.");
    }

    /// <summary>The index's map of tensors to files; files are named without a folder.</summary>
    private Dictionary<string, string> ReadIndex()
    {
        HubConfig index = HubConfig.Read(Path);
        var fileOf = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string tensor, JsonElement value) in index.Section("weight_map").Entries())
        {
            string file = index.String(value, "weight_map");
            if (file.Length == 0 || file is "." or ".." || file.AsSpan().ContainsAny("/\\:\0"))
                throw new FormatException($"{Path}: tensor '{HubConfig.Show(tensor)}' is placed in '{HubConfig.Show(file)}'; the name of a file in the same folder is needed. Download the index again.");
            if (!fileOf.TryAdd(tensor, file))
                throw new FormatException($"{Path}: tensor '{HubConfig.Show(tensor)}' is listed twice; download the index again.");
        }
        return fileOf.Count > 0 ? fileOf : throw new FormatException($"{Path}: key 'weight_map' lists no tensors; download the file again.");
    }

    private void Add(ICheckpointFile file)
    {
        _files.Add(file);   // from here on it is disposed with this object
        foreach (CheckpointTensor tensor in file.Tensors)
            if (!_tensors.TryAdd(HubName(tensor.Name), tensor))
                throw new FormatException($"{file.Path}: tensor '{HubConfig.Show(tensor.Name)}' is there twice; download the checkpoint again.");
    }

    /// <summary>The name in -hf checkpoints: the originals call the embedding in the singular, and Mistral's layout puts all into a "model".</summary>
    private static string HubName(string name)
    {
        const string Model = "model.", Singular = "backbone.embedding.";
        if (name.StartsWith("model.backbone.", StringComparison.Ordinal) || name.StartsWith("model.lm_head.", StringComparison.Ordinal)) name = name[Model.Length..];
        return name.StartsWith(Singular, StringComparison.Ordinal) ? $"backbone.embeddings.{name[Singular.Length..]}" : name;
    }
}
