using System.Text;

namespace MambaRT.CApi;

/// <summary>An answer that a host computes: its text is asked for, or goes to a function of the program's.</summary>
internal sealed class OpenRequest : TextStream
{
    private readonly Generation _generation;
    private readonly unsafe delegate* unmanaged[Cdecl]<void*, byte*, nuint, int> _text;
    private readonly unsafe void* _user;
    private readonly Lock _reading = new();
    private bool _isRead, _isLeft, _isClosed, _hasEnded;

    public unsafe OpenRequest(OpenModel owner, Generation generation, delegate* unmanaged[Cdecl]<void*, byte*, nuint, int> text, void* user) : base(owner)
    {
        _generation = generation;
        _text = text;
        _user = user;
    }

    /// <inheritdoc/>
    public override GenerationStats Stats => _generation.Stats;

    /// <summary>Ends it within about a token's time; any thread.</summary>
    public override void End() => _generation.Cancel();

    /// <summary>Hands out the text that is there.</summary>
    /// <returns>Whether all is handed out and nothing more will come.</returns>
    public unsafe bool Read(byte* place, nuint capacity, nuint* length)
    {
        lock (_reading)
        {
            if (_text != null && !_hasEnded) throw new StatusException(Status.State, "The text of this request goes to the function that it was asked for with; read it after that was told the end.");
            Next(place, capacity, length);
            return _isRead;
        }
    }

    /// <summary>Hands the text that is there to the program's function; whoever drives the host.</summary>
    /// <returns>Whether nothing more will come.</returns>
    public bool Tell()
    {
        try
        {
            for (string? piece = _generation.TryRead(); piece is not null; piece = _generation.TryRead())
            {
                if (piece.Length == 0) return _isClosed;
                Give(piece);
            }
        }
        catch (Exception)
        {
            // Read tells it.
        }
        GiveEnd();
        return true;
    }

    /// <summary>Hands the text to the program's function as it comes, on threads of the library's.</summary>
    public async Task TellAsync()
    {
        try
        {
            await foreach (string piece in _generation.ReadAsync().ConfigureAwait(false)) Give(piece);
        }
        catch (Exception)
        {
            // Read tells it.
        }
        GiveEnd();
    }

    /// <summary>Ends it; its function is not called any more when this returns, unless this is called by it.</summary>
    public void Close()
    {
        End();
        lock (_reading) _isClosed = true;
    }

    /// <inheritdoc/>
    protected override string? Compute()
    {
        string? text = _generation.TryRead();
        _isRead = text is null;
        return text;
    }

    private unsafe void Give(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        lock (_reading)
        {
            if (_isClosed || _isLeft) return;
            fixed (byte* piece = bytes) _isLeft = _text(_user, piece, (nuint)bytes.Length) != 0;
            if (_isLeft) End();
        }
    }

    private unsafe void GiveEnd()
    {
        lock (_reading)
        {
            if (_isClosed) return;
            _hasEnded = true;
            _text(_user, null, 0);
        }
    }
}
