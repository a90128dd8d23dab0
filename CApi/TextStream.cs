using System.Text;

namespace MambaRT.CApi;

/// <summary>Hands out text piece by piece into memory of the caller's; a piece that was too long waits for the next call.</summary>
internal abstract unsafe class TextStream(OpenModel owner)
{
    private byte[] _piece = new byte[256];
    private int _bytes;

    /// <summary>The model that runs.</summary>
    public OpenModel Owner { get; } = owner;

    /// <summary>Counts and times.</summary>
    public abstract GenerationStats Stats { get; }

    /// <summary>Computes up to the next piece and hands it out; a length of 0 is the end.</summary>
    public void Next(byte* place, nuint capacity, nuint* length)
    {
        if (_bytes == 0) Fetch();
        Arguments.Give<byte>(_piece.AsSpan(0, _bytes), place, capacity, length, "length");
        _bytes = 0;
    }

    /// <summary>Hands all pieces to a function of the caller's, until there are no more or it returns other than 0.</summary>
    public void Run(delegate* unmanaged[Cdecl]<void*, byte*, nuint, int> text, void* user)
    {
        while (Fetch())
        {
            int bytes = _bytes;
            _bytes = 0;
            int ends;
            fixed (byte* piece = _piece) ends = text == null ? 0 : text(user, piece, (nuint)bytes);
            if (ends == 0) continue;
            End();
            return;
        }
    }

    /// <summary>Drops what was not handed out, of a text that a new one follows.</summary>
    protected void Begin() => _bytes = 0;

    /// <summary>The next piece, or null at the end.</summary>
    protected abstract string? Compute();

    /// <summary>Leaves the text where it is.</summary>
    public abstract void End();

    private bool Fetch()
    {
        if (Compute() is not { } piece) return false;
        int most = Encoding.UTF8.GetMaxByteCount(piece.Length);
        if (_piece.Length < most) _piece = new byte[most];
        _bytes = Encoding.UTF8.GetBytes(piece, _piece);
        return true;
    }
}
