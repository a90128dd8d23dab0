namespace MambaRT.Conversion;

/// <summary>An opened folder of a hub checkpoint: its configuration, its weights and the files beside them.</summary>
internal sealed class HubCheckpoint : IDisposable
{
    private const string ConfigName = "config.json", MistralConfigName = "params.json";
    private static readonly string[] InputNames =
    [
        ConfigName, MistralConfigName, .. CheckpointWeights.FileNames,
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "generation_config.json", "chat_template.jinja",
    ];

    private HubCheckpoint(string directory, HubConfig config, Architecture architecture, CheckpointWeights weights)
    {
        Directory = directory;
        Config = config;
        Architecture = architecture;
        Weights = weights;
    }

    /// <summary>The folder.</summary>
    public string Directory { get; }

    /// <summary>The folder's name; that of the repository for a snapshot in a hub's cache, <c>models--OWNER--NAME/snapshots/HASH</c>.</summary>
    public string Name
    {
        get
        {
            const string Repository = "models--";
            var folder = new DirectoryInfo(Directory);
            if (folder.Parent is not { Name: "snapshots", Parent.Name: string cached } || !cached.StartsWith(Repository, StringComparison.Ordinal)) return folder.Name;
            string[] parts = cached[Repository.Length..].Split("--", 2);
            return parts[^1].Length > 0 ? parts[^1] : folder.Name;
        }
    }

    /// <summary>The configuration, with the keys of transformers.</summary>
    public HubConfig Config { get; }

    /// <summary>The architecture that its "model_type" belongs to.</summary>
    public Architecture Architecture { get; }

    /// <summary>Every tensor.</summary>
    public CheckpointWeights Weights { get; }

    /// <summary>Opens a folder.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="among">The architectures there are.</param>
    /// <exception cref="IOException">The folder or one of its files is missing.</exception>
    /// <exception cref="FormatException">A file is damaged.</exception>
    /// <exception cref="NotSupportedException">The architecture or the way the weights are stored is not one that MambaRT converts.</exception>
    public static HubCheckpoint Open(string directory, IReadOnlyList<Architecture> among)
    {
        if (!System.IO.Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no folder '{directory}'; give the folder that holds {ConfigName} and the weights.");
        HubConfig config = ReadConfig(directory);
        return new HubCheckpoint(directory, config, Find(config, among), CheckpointWeights.Open(directory));
    }

    /// <summary>Every file of a folder that a checkpoint may consist of, or a person may have put there for it; GGUF files are what was made of it.</summary>
    public static IEnumerable<string> FilesOf(string directory) => !System.IO.Directory.Exists(directory) ? []
        : System.IO.Directory.GetFiles(directory).Where(path => !path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase));

    /// <summary>Refuses an output that would replace a file a checkpoint consists of.</summary>
    /// <exception cref="ArgumentException">It bears the name of one and is there, or is a folder.</exception>
    public static void CheckOutput(string path)
    {
        if (System.IO.Directory.Exists(path))
            throw new ArgumentException($"'{path}' is a folder; give the name of the file to write, such as 'model.gguf'.", nameof(path));
        if (InputNames.Contains(Path.GetFileName(path), StringComparer.OrdinalIgnoreCase) && File.Exists(path))
            throw new ArgumentException($"'{path}' is there already and is part of a checkpoint; give another name to write to, such as 'model.gguf'.", nameof(path));
    }

    /// <inheritdoc/>
    public void Dispose() => Weights.Dispose();

    private static Architecture Find(HubConfig config, IReadOnlyList<Architecture> among)
    {
        string known = string.Join(", ", among.SelectMany(a => a.Import.ModelTypes));
        string type = config.Text("model_type")
            ?? throw new FormatException($"{config.Path}: key 'model_type' is missing; it names the architecture and must be one of {known}.");
        return among.FirstOrDefault(a => a.Import.ModelTypes.Contains(type))
            ?? throw new NotSupportedException($"{config.Path}: architecture '{HubConfig.Show(type)}' is not one that MambaRT converts; it converts {known}. Choose a checkpoint of one of these.");
    }

    private static HubConfig ReadConfig(string directory)
    {
        if (HubConfig.TryRead(Path.Combine(directory, ConfigName)) is HubConfig config) return OriginalConfig.Is(config) ? OriginalConfig.Translate(config) : config;
        if (HubConfig.TryRead(Path.Combine(directory, MistralConfigName)) is HubConfig mistral) return OriginalConfig.TranslateMistral(mistral);
        throw new FileNotFoundException($"{directory}: there is no {ConfigName}; give the folder of a checkpoint as a model hub has it.", Path.Combine(directory, ConfigName));
    }
}
