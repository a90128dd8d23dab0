using MambaRT.Backends.Auto;

namespace MambaRT.Extensions.AI;

/// <summary>A model together with the backend it runs on.</summary>
internal sealed class OpenedModel : IDisposable
{
    private readonly IBackend? _backend;

    /// <summary>Opens a model where the options say.</summary>
    public OpenedModel(string path, MambaChatServiceOptions options)
    {
        IBackend? made = null;
        try
        {
            Model = Model.OpenOnChoice(path, (plan, weights) => made = options.Backend == "auto" ? BackendSelector.Choose(plan, weights, null, out _, options.PipelineFolder, options.Model.ChunkTokens) : BackendSelector.Create(options.Backend, cacheFolder: options.PipelineFolder), options.Model);
            _backend = made;
        }
        catch
        {
            made?.Dispose();
            throw;
        }
    }

    /// <summary>The model.</summary>
    public Model Model { get; }

    public void Dispose()
    {
        Model.Dispose();
        _backend?.Dispose();
    }
}
