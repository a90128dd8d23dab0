using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace MambaRT.Formats;

/// <summary>Turns a stream of UTF-8 into text as it arrives, keeping back the bytes of an unfinished character.</summary>
/// <remarks>Invalid bytes become U+FFFD, one for each maximal invalid part (Unicode, section 3.9). Allocates nothing. For one thread at a time.</remarks>
internal sealed class Utf8Assembler
{
    private readonly byte[] _pending = new byte[4];
    private int _pendingCount;

    /// <summary>Takes bytes and writes the characters that are complete.</summary>
    /// <param name="bytes">Next bytes of the stream, cut anywhere.</param>
    /// <param name="text">Room for at least <c>bytes.Length + 1</c> UTF-16 units; a character above U+FFFF is never divided.</param>
    /// <returns>Number of UTF-16 units written.</returns>
    /// <exception cref="ArgumentException"><paramref name="text"/> is too short; nothing was taken.</exception>
    public int Append(ReadOnlySpan<byte> bytes, Span<char> text)
    {
        if (text.Length <= bytes.Length)
            throw new ArgumentException($"The text has room for {text.Length} characters; {bytes.Length} bytes need {bytes.Length + 1L}.", nameof(text));
        int written = Complete(ref bytes, text);
        Utf8.ToUtf16(bytes, text[written..], out int read, out int more, replaceInvalidSequences: true, isFinalBlock: false);
        foreach (byte value in bytes[read..]) _pending[_pendingCount++] = value;
        return written + more;
    }

    /// <summary>Ends the stream: an unfinished character becomes U+FFFD. The next stream may follow.</summary>
    /// <param name="text">Room for one UTF-16 unit.</param>
    /// <returns>Number of UTF-16 units written, 0 or 1.</returns>
    /// <exception cref="ArgumentException"><paramref name="text"/> is empty.</exception>
    public int Flush(Span<char> text)
    {
        if (text.IsEmpty) throw new ArgumentException("The text has room for 0 characters; 1 is needed.", nameof(text));
        if (_pendingCount == 0) return 0;
        _pendingCount = 0;
        text[0] = (char)Rune.ReplacementChar.Value;
        return 1;
    }

    /// <summary>Feeds the unfinished character until it is complete or found invalid.</summary>
    private int Complete(ref ReadOnlySpan<byte> bytes, Span<char> text)
    {
        while (_pendingCount > 0 && !bytes.IsEmpty)
        {
            _pending[_pendingCount] = bytes[0];
            OperationStatus status = Rune.DecodeFromUtf8(_pending.AsSpan(0, _pendingCount + 1), out Rune rune, out _);
            if (status == OperationStatus.InvalidData)
            {
                _pendingCount = 0;   // the byte that does not fit begins something new, and stays in bytes
                text[0] = (char)Rune.ReplacementChar.Value;
                return 1;
            }
            bytes = bytes[1..];
            _pendingCount++;
            if (status == OperationStatus.NeedMoreData) continue;
            _pendingCount = 0;
            return rune.EncodeToUtf16(text);
        }
        return 0;
    }
}
