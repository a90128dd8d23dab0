using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>A model to compare; opened only while it is compared.</summary>
internal abstract class Comparand
{
    private Model? _model;

    /// <summary>What it is called in the tables.</summary>
    public required string Name { get; init; }

    /// <summary>Size of its file, or what that would be.</summary>
    public required long Bytes { get; init; }

    /// <summary>Bits of a stored value, over all tensors.</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>Opens it until <see cref="Close"/>, where the first that was opened runs.</summary>
    public Model Open(BackendChoice choice, CancellationToken cancel) => _model = Load(choice, cancel);

    /// <summary>Frees what opening took; does nothing when it is closed.</summary>
    public virtual void Close()
    {
        _model?.Dispose();
        _model = null;
    }

    protected abstract Model Load(BackendChoice choice, CancellationToken cancel);
}

/// <summary>A model in a file.</summary>
internal sealed class FileComparand : Comparand
{
    private readonly ModelFile _file;
    private readonly MetadataOverrides _overrides;

    private FileComparand(ModelFile file, MetadataOverrides overrides)
    {
        _file = file;
        _overrides = overrides;
    }

    /// <summary>Every file of the model.</summary>
    public required string[] Files { get; init; }

    /// <summary>Reads the file's header.</summary>
    public static FileComparand Of(string path, MetadataOverrides overrides)
    {
        ModelFile file = ModelLocator.Named(path, "check the path");
        using GgufFile header = file.Open(overrides);
        return new FileComparand(file, overrides) { Files = [.. header.PartPaths], Name = Path.GetFileName(path), Bytes = header.FileBytes, BitsPerWeight = QuantMix.BitsPerWeight(QuantMix.Of(header)) };
    }

    /// <summary>Opens the file alone.</summary>
    public GgufFile OpenFile() => _file.Open(_overrides);

    protected override Model Load(BackendChoice choice, CancellationToken cancel) =>
        Model.OpenOnChoice(_file.Path, choice.Make, new ModelOptions { Offset = _file.Offset, Length = _file.Length, Overrides = _overrides }, cancel);
}

/// <summary>The base with some of its tensors stored otherwise, in memory.</summary>
internal sealed class VariantComparand(GgufFile basis, TensorGroup group, QuantType type) : Comparand
{
    private WeightOverlay? _weights;

    /// <summary>The variants of a base whose rows are whole blocks of the type; the names of the others go to <paramref name="skipped"/>.</summary>
    public static List<VariantComparand> Of(GgufFile basis, Plan plan, QuantType type, List<string> skipped)
    {
        List<QuantMix> mix = QuantMix.Of(basis);
        long values = mix.Sum(part => part.Values), bytes = mix.Sum(part => part.Bytes);
        var variants = new List<VariantComparand>();
        foreach (TensorGroup group in TensorGroup.Of(plan))
        {
            GgufTensorInfo[] tensors = [.. basis.Tensors.Where(t => group.Tensors.Contains(t.Name))];
            if (tensors.Any(t => t.Columns % type.BlockLength != 0))
            {
                skipped.Add(group.Name);
                continue;
            }
            long grown = tensors.Sum(t => type.RowBytes(t.Columns) * t.Rows - t.Bytes);
            variants.Add(new VariantComparand(basis, group, type) { Name = group.Name, Bytes = basis.FileBytes + grown, BitsPerWeight = 8.0 * (bytes + grown) / values });
        }
        return variants;
    }

    public override void Close()
    {
        base.Close();
        _weights?.Dispose();
        _weights = null;
    }

    protected override Model Load(BackendChoice choice, CancellationToken cancel)
    {
        _weights = new WeightOverlay(basis);
        foreach (string tensor in group.Tensors) _weights.Encode(tensor, type);
        return Model.Open(basis.Metadata, _weights, choice.Backend, cancel: cancel);   // the base was opened before
    }
}
