namespace MambaRT.CApi;

/// <summary>What computes answers beside each other, and the requests whose text goes to functions of the program's.</summary>
internal sealed unsafe class OpenHost
{
    private readonly List<OpenRequest> _told = [];
    private readonly bool _isManual;
    private int _telling;

    /// <summary>Makes a model's only host.</summary>
    public OpenHost(OpenModel owner, ModelHostOptions options)
    {
        Owner = owner;
        _isManual = options.Manual;
        Host = new ModelHost(owner.Model, options);
        try
        {
            owner.Take(Host);
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
        Owner.Leave(Host);
        Host.Dispose();
        Tell();
    }

    /// <summary>Hands text to the functions that wait for it; those may ask for further answers, and close requests.</summary>
    private void Tell()
    {
        if (Interlocked.Exchange(ref _telling, 1) != 0) return;   // another thread does, or a function called back
        for (int i = 0; At(i) is { } request;)
        {
            if (!request.Tell()) i++;
            else lock (_told) _told.RemoveAt(i);
        }
        Volatile.Write(ref _telling, 0);
    }

    private OpenRequest? At(int i)
    {
        lock (_told) return i < _told.Count ? _told[i] : null;
    }
}
