using System.Text;
using MambaRT.Formats;

namespace MambaRT;

/// <summary>Turns the tokens of a text into what can be shown of it: whole characters, and no part of a stop string. One thread at a time; allocates nothing after its first tokens.</summary>
internal sealed class TokenText(ITokenizer tokenizer, IReadOnlyList<string> stops)
{
    private readonly StopStrings _stops = new(stops);
    private readonly Utf8Assembler _assembler = new();
    private char[] _characters = new char[64];

    /// <summary>Whether all tokens are shown: none was a control token, and neither a stop string nor a cut character was dropped.</summary>
    public bool IsWhole { get; private set; } = true;

    /// <summary>Begins a text.</summary>
    public void Begin()
    {
        _stops.Reset();
        IsWhole = true;
    }

    /// <summary>Adds what a token lets be shown; true once a stop string is complete.</summary>
    public bool Show(int token, StringBuilder text)
    {
        ReadOnlySpan<byte> bytes = tokenizer.Decode(token, renderSpecial: false);
        if (_characters.Length <= bytes.Length) _characters = new char[2 * bytes.Length];
        int written = _assembler.Append(bytes, _characters);
        bool stop = _stops.Push(_characters.AsSpan(0, written), text);
        IsWhole &= !bytes.IsEmpty && !stop;
        return stop;
    }

    /// <summary>Releases what was held back. An unfinished character is shown as U+FFFD where the model ended there, and dropped where it was cut.</summary>
    public void Close(StopReason reason, StringBuilder text)
    {
        int written = _assembler.Flush(_characters);
        if (_stops.Found is not null) return;
        if (written > 0 && reason == StopReason.EndOfGeneration) _stops.Push(_characters.AsSpan(0, written), text);
        else if (written > 0) IsWhole = false;
        _stops.Flush(text);
    }
}
