namespace MambaRT;

/// <summary>The executables of a loaded model, one for each bucket of shapes that was asked for. One thread at a time; looking one up allocates nothing.</summary>
internal sealed class ExecutableCache(ILoadedModel loaded) : IDisposable
{
    private readonly List<(BatchShape Bucket, IExecutable Executable)> _executables = [];

    /// <summary>What runs batches of a shape; made when its bucket is first asked for.</summary>
    public IExecutable For(BatchShape shape)
    {
        BatchShape bucket = loaded.Bucket(shape);
        foreach ((BatchShape known, IExecutable executable) in _executables)
            if (known == bucket) return executable;
        IExecutable made = loaded.Compile(bucket);
        _executables.Add((bucket, made));
        return made;
    }

    public void Dispose()
    {
        foreach ((_, IExecutable executable) in _executables) executable.Dispose();
        _executables.Clear();
    }
}
