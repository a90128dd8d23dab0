using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>An opened folder of a hub checkpoint: config.json, model.safetensors and the files beside them.</summary>
internal sealed class HubCheckpoint : IDisposable
{
    private const string WeightsName = "model.safetensors";
    private static readonly string[] InputNames =
        ["config.json", WeightsName, "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"];

    private HubCheckpoint(string directory, HubConfig config, Architecture architecture, SafetensorsFile weights)
    {
        Directory = directory;
        Config = config;
        Architecture = architecture;
        Weights = weights;
    }

    /// <summary>The folder.</summary>
    public string Directory { get; }

    /// <summary>config.json.</summary>
    public HubConfig Config { get; }

    /// <summary>The architecture that its "model_type" belongs to.</summary>
    public Architecture Architecture { get; }

    /// <summary>model.safetensors.</summary>
    public SafetensorsFile Weights { get; }

    /// <summary>Opens a folder.</summary>
    /// <exception cref="IOException">The folder or one of its files is missing.</exception>
    /// <exception cref="FormatException">A file is damaged.</exception>
    /// <exception cref="NotSupportedException">The architecture or the way the weights are stored is not one that MambaRT converts.</exception>
    public static HubCheckpoint Open(string directory)
    {
        if (!System.IO.Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no folder '{directory}'; give the folder that holds config.json and {WeightsName}.");
        string configPath = Path.Combine(directory, "config.json");
        if (!File.Exists(configPath))
            throw new FileNotFoundException($"{directory}: there is no config.json; give the folder of a Hugging Face checkpoint.", configPath);
        HubConfig config = HubConfig.Read(configPath);
        Architecture architecture = Find(config);
        return new HubCheckpoint(directory, config, architecture, SafetensorsFile.Open(WeightsPath(directory)));
    }

    /// <summary>Reads a file beside config.json if it is there.</summary>
    public HubConfig? TryRead(string name) => HubConfig.TryRead(Path.Combine(Directory, name));

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

    private static Architecture Find(HubConfig config)
    {
        string known = string.Join(", ", Architecture.All.SelectMany(a => a.Import.ModelTypes));
        string type = config.Text("model_type")
            ?? throw new FormatException($"{config.Path}: key 'model_type' is missing; it names the architecture and must be one of {known}.");
        return Architecture.All.FirstOrDefault(a => a.Import.ModelTypes.Contains(type))
            ?? throw new NotSupportedException($"{config.Path}: architecture '{HubConfig.Show(type)}' is not one that MambaRT converts; it converts {known}. Choose a checkpoint of one of these.");
    }

    private static string WeightsPath(string directory)
    {
        string path = Path.Combine(directory, WeightsName);
        if (File.Exists(path)) return path;
        if (File.Exists(path + ".index.json"))
            throw new NotSupportedException($"{directory}: the weights are spread over several files, which MambaRT does not convert yet; save them as one {WeightsName}.");
        if (File.Exists(Path.Combine(directory, "pytorch_model.bin")))
            throw new NotSupportedException($"{directory}: the weights are in pytorch_model.bin, which MambaRT does not convert; save them as {WeightsName}.");
        throw new FileNotFoundException($"{directory}: there is no {WeightsName}; download the whole checkpoint.", path);
    }
}
