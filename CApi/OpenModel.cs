namespace MambaRT.CApi;

/// <summary>A model, the backend it runs on, and who is inside. A second thread is refused; closing is for any thread.</summary>
internal sealed class OpenModel
{
    private readonly Device _device;
    private int _inside;
    private OpenHost? _host;
    private volatile Tuple<string?, ChatPrompts>? _prompts;

    private OpenModel(Model model, Device device) => (Model, _device) = (model, device);

    /// <summary>The model.</summary>
    public Model Model { get; }

    /// <summary>What its memory is counted by, or null.</summary>
    public HostMemory? Memory => Model.Options.Memory;

    /// <summary>Opens what <paramref name="open"/> opens, on the device that options ask for.</summary>
    /// <param name="open">Given what chooses the backend, opens the model.</param>
    /// <param name="options">Checked.</param>
    public static OpenModel Open(Func<Func<Plans.Plan, IWeightSource, IBackend>, Model> open, in ModelOptionsLayout options)
    {
        var device = new Device(options);
        try
        {
            return new OpenModel(open(device.Choose), device);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>What writes conversations by a template: its name, or null for the model's own. Any thread.</summary>
    public ChatPrompts Prompts(string? template)
    {
        if (_prompts is { } known && known.Item1 == template) return known.Item2;
        var made = new ChatPrompts(Model, TextSettings.Template(Model, template));
        _prompts = new(template, made);   // the one used last is kept
        return made;
    }

    /// <summary>Takes a host, the only one.</summary>
    /// <exception cref="StatusException">It has one.</exception>
    public void Take(OpenHost host)
    {
        if (Interlocked.CompareExchange(ref _host, host, null) is not null)
            throw new StatusException(Status.State, "The model has a host already; a model has one at a time.");
    }

    /// <summary>Lets a host go.</summary>
    public void Leave(OpenHost host) => Interlocked.CompareExchange(ref _host, null, host);

    /// <summary>Keeps others out until it is disposed; a host's thread too, whose step at hand is waited for.</summary>
    /// <exception cref="StatusException">Another call is inside.</exception>
    public Use Enter() => TryEnter(out Use use) ? use
        : throw new StatusException(Status.State, "Another call is inside this model; one thread at a time uses a model with what was made from it.");

    /// <summary>Keeps others out where none is inside.</summary>
    public bool TryEnter(out Use use)
    {
        bool entered = Interlocked.CompareExchange(ref _inside, 1, 0) == 0;
        use = entered ? new Use(this, Volatile.Read(ref _host)?.Host) : default;
        return entered;
    }

    /// <summary>Ends what runs, waits for it, and gives back all memory.</summary>
    public void Close()
    {
        Volatile.Read(ref _host)?.Close();
        Model.Dispose();
        _device.Dispose();
    }

    /// <summary>Lets others in.</summary>
    internal ref struct Use(OpenModel model, ModelHost? host)
    {
        private Lock.Scope _step = host is null ? default : host.Hold();

        public void Dispose()
        {
            _step.Dispose();
            Volatile.Write(ref model._inside, 0);
        }
    }
}
