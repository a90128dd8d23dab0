using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>A tiny model opened on a backend, with all it stands on.</summary>
internal sealed class TinyRun : IDisposable
{
    private readonly TinyWeights _weights;
    private readonly IBackend _backend;

    public TinyRun(string backend, string model, QuantType type, int chunk = 256, Func<TinyTensor, TinyTensor?>? edit = null, int threads = 2)
        : this(() => TestBackends.Create(backend, threads), model, type, chunk, edit)
    {
    }

    /// <summary>Opens it on a backend that is made for it.</summary>
    public TinyRun(Func<IBackend> backend, string model, QuantType type, int chunk = 256, Func<TinyTensor, TinyTensor?>? edit = null)
    {
        _weights = TinyModels.Make(model, type, edit);
        _backend = backend();
        try
        {
            Model = Model.Open(_weights.Metadata, _weights.Weights, _backend, new ModelOptions { ChunkTokens = chunk, Architectures = TinyModels.Architectures });
        }
        catch
        {
            _backend.Dispose();
            _weights.Dispose();
            throw;
        }
    }

    public Model Model { get; }

    /// <summary>A session that has been fed the tokens one at a time; the logits of each row are added to <paramref name="rows"/>.</summary>
    public Session Stepped(ReadOnlySpan<int> tokens, List<float[]>? rows = null)
    {
        Session session = Model.StartSession();
        foreach (int token in tokens)
        {
            ReadOnlySpan<float> logits = session.Feed([token]);
            rows?.Add(logits.ToArray());
        }
        return session;
    }

    public void Dispose()
    {
        Model.Dispose();
        _backend.Dispose();
        _weights.Dispose();
    }
}
