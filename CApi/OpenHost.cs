namespace MambaRT.CApi;

/// <summary>What computes answers beside each other, and the requests whose text goes to functions of the program's.</summary>
internal sealed unsafe class OpenHost
{
    private readonly List<OpenRequest> _told = [];
    private readonly bool _isManual;
    private int _toTell;            // wishes that functions be told what is there; who makes the first fulfils all
    private volatile bool _closed;

    /// <summary>Makes a model's only host.</summary>
    public OpenHost(OpenModel owner, ModelHostOptions options)
    {
        Owner = owner;
        _isManual = options.Manual;
        Host = new ModelHost(owner.Model, options);
        try
        {
            owner.Take(this);
        }
        catch
        {
            Host.Dispose();
            throw;
        }
    }

    /// <summary>Its model.</summary>
    public OpenModel Owner { get; }

    /// <summary>What computes.</summary>
    public ModelHost Host { get; }

    /// <summary>Asks for an answer; any thread.</summary>
    public OpenRequest Submit(int[] tokens, SamplerChain sampler, GenerationOptions options, delegate* unmanaged[Cdecl]<void*, byte*, nuint, int> text, void* user)
    {
        var request = new OpenRequest(Owner, Host.Start(tokens, sampler, options), text, user);
        if (text == null) return request;
        if (_isManual) lock (_told) _told.Add(request);
        else _ = Task.Run(request.TellAsync);
        if (_isManual && _closed) Tell();   // closed since: nobody else does
        return request;
    }

    /// <summary>Goes on for a time, and then hands out the text.</summary>
    public StepProgress Step(TimeSpan time)
    {
        StepProgress progress;
        using (OpenModel.Use use = Owner.Enter()) progress = Host.Step(time);
        Tell();
        return progress;
    }

    /// <summary>Ends all answers, and the host.</summary>
    public void Close()
    {
        Owner.Leave(this);
        Host.Dispose();
        _closed = true;
        Tell();
    }

    /// <summary>Hands text to the functions that wait for it; those may ask for further answers, and close requests and the host.</summary>
    private void Tell()
    {
        if (Interlocked.Increment(ref _toTell) > 1) return;   // another thread does, or a function called back: it begins again
        int seen;
        do
        {
            seen = Volatile.Read(ref _toTell);
            for (int i = 0; At(i) is { } request;)
            {
                if (!request.Tell()) i++;
                else lock (_told) _told.RemoveAt(i);
            }
        }
        while (Interlocked.Add(ref _toTell, -seen) > 0);
    }

    private OpenRequest? At(int i)
    {
        lock (_told) return i < _told.Count ? _told[i] : null;
    }
}
