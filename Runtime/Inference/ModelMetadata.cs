using MambaRT.Formats;

namespace MambaRT;

/// <summary>Hyper-parameters of a model by GGUF key, without the architecture's prefix.</summary>
public sealed class ModelMetadata
{
    /// <summary>The largest size any dimension may have: far above every published model, small enough that products fit a long.</summary>
    private const int MaxDimension = 1 << 24;

    /// <summary>Wraps a file's metadata.</summary>
    public ModelMetadata(GgufMetadata file)
    {
        File = file;
        Architecture = file.GetString("general.architecture");
    }

    /// <summary>All metadata.</summary>
    public GgufMetadata File { get; }

    /// <summary>general.architecture.</summary>
    public string Architecture { get; }

    /// <summary>ssm.group_count: heads in groups share B and C; 1 where there are no groups.</summary>
    public int Groups => Size("ssm.group_count", missing: 1);

    /// <summary>A size that must be there: 1 to 2^24.</summary>
    public int Size(string key) => File.GetInt32(Key(key), 1, MaxDimension);

    /// <summary>A size, or <paramref name="missing"/> when the key is absent.</summary>
    public int Size(string key, int missing) => File.TryGetInt32(Key(key), 1, MaxDimension) ?? missing;

    /// <summary>A positive float that must be there.</summary>
    public float Positive(string key) => CheckPositive(key, File.GetFloat(Key(key)));

    /// <summary>A positive float, or <paramref name="missing"/> when the key is absent.</summary>
    public float Positive(string key, float missing) => CheckPositive(key, File.TryGetFloat(Key(key)) ?? missing);

    /// <summary>A flag; absent means false.</summary>
    public bool Flag(string key) => File.TryGetBool(Key(key)) ?? false;

    private string Key(string key) => $"{Architecture}.{key}";

    private float CheckPositive(string key, float value) => value > 0 ? value
        : throw new FormatException($"{File.Subject}: key '{Key(key)}' is {value}; it must be above 0. Re-convert the model.");
}
