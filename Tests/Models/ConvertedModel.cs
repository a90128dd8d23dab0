using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A checkpoint folder converted to a temporary file and opened.</summary>
internal sealed class ConvertedModel : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly IBackend _backend;

    public ConvertedModel(string folder, QuantType type, string backend)
    {
        string path = _folder["model.gguf"];
        ModelConverter.Convert(folder, path, new ConversionOptions { Target = QuantTarget.ByName(type.Name)! });
        _backend = TestBackends.Create(backend);
        Model = Model.Open(path, _backend);
    }

    public Model Model { get; }

    public void Dispose()
    {
        Model.Dispose();
        _backend.Dispose();
        _folder.Dispose();
    }
}
