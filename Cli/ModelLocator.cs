using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>A model in a file, or in a part of one.</summary>
/// <param name="Path">The file.</param>
/// <param name="Offset">Where the model begins.</param>
/// <param name="Length">Its bytes; null for all up to the end.</param>
internal readonly record struct ModelFile(string Path, long Offset = 0, long? Length = null)
{
    /// <summary>Opens it: headers and metadata.</summary>
    /// <param name="overrides">Metadata that takes the place of the file's; null for none.</param>
    public GgufFile Open(MetadataOverrides? overrides = null) =>
        GgufFile.Open(Path, new GgufOpenOptions { Offset = Offset, Length = Length, Overrides = overrides ?? MetadataOverrides.None });

    /// <summary>Every file of the model: several if it is split.</summary>
    public string[] Parts()
    {
        using GgufFile file = Open();
        return [.. file.PartPaths];
    }
}

/// <summary>Finds the model to use: the one named, else the one appended to the executable, else the one beside it.</summary>
internal static class ModelLocator
{
    /// <summary>Finds the model.</summary>
    /// <param name="given">What -m says, or null.</param>
    /// <exception cref="FileNotFoundException">There is none; the message says where it was looked for.</exception>
    public static ModelFile Find(string? given) => given is null ? TryFindDefault() ?? throw NoModel()
        : Named(given, "give -m the path of a .gguf file, or leave -m out for the bundled model");

    /// <summary>The model appended to the running executable, if there is one.</summary>
    public static ModelFile? FindAppended()
    {
        string? executable = Environment.ProcessPath;
        return executable is not null && Packed.Find(executable) is { } model ? new ModelFile(executable, model.Offset, model.Length) : null;
    }

    /// <summary>The model that is used where none is named; null where there is none.</summary>
    public static ModelFile? TryFindDefault() => FindAppended() ?? (File.Exists(Beside) ? new ModelFile(Beside) : null);

    private static string Beside => Path.Combine(AppContext.BaseDirectory, DefaultModel.FileName);

    private static FileNotFoundException NoModel() =>
        new($"There is no model: none is appended to this program, and there is no file '{Beside}'. Name one with -m FILE.gguf.");

    /// <summary>The model in a file.</summary>
    /// <param name="path">A .gguf file, or a program with a model appended.</param>
    /// <param name="advice">What to do where there is no such file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="FormatException">It is a folder.</exception>
    public static ModelFile Named(string path, string advice)
    {
        if (Directory.Exists(path))
            throw new FormatException($"'{path}' is a folder; a .gguf file is needed. Make one of a folder of safetensors with 'mambart convert'.");
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file '{path}'; {advice}.");
        return Packed.Find(path) is { } model ? new ModelFile(path, model.Offset, model.Length) : new ModelFile(path);
    }
}
