using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Turn = MambaRT.Chat.ChatMessage;

namespace MambaRT.Extensions.AI;

/// <summary>
/// A conversation as bytes, little-endian: magic "MRTTURNS" / u32 version (1) / 16 bytes fingerprint of the model / the id / role and text of each turn, every text as
/// its i32 number of UTF-16 units and these / SHA-256 of all before.
/// </summary>
internal static class ConversationFile
{
    private const int Version = 1, VersionAt = 8, ModelAt = 12, TextsAt = 28;

    private static ReadOnlySpan<byte> Magic => "MRTTURNS"u8;

    /// <summary>A text's UTF-16 units: all of them, also those that are no characters.</summary>
    public static ReadOnlySpan<byte> BytesOf(string text) => MemoryMarshal.AsBytes(text.AsSpan());

    /// <summary>Writes one.</summary>
    public static byte[] Write(UInt128 model, string id, IReadOnlyList<Turn> turns)
    {
        using var stream = new MemoryStream();
        Span<byte> head = stackalloc byte[TextsAt];
        Magic.CopyTo(head);
        BinaryPrimitives.WriteInt32LittleEndian(head[VersionAt..], Version);
        BinaryPrimitives.WriteUInt128LittleEndian(head[ModelAt..], model);
        stream.Write(head);
        Text(id);
        foreach (Turn turn in turns)
        {
            Text(turn.Role);
            Text(turn.Content);
        }
        stream.Write(SHA256.HashData(stream.GetBuffer().AsSpan(0, (int)stream.Length)));
        return stream.ToArray();

        void Text(string text)
        {
            Span<byte> units = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(units, text.Length);
            stream.Write(units);
            stream.Write(BytesOf(text));
        }
    }

    /// <summary>Reads and checks a whole one.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="model">The model it must be of.</param>
    /// <param name="id">The id it must have.</param>
    /// <param name="subject">Its name, for messages.</param>
    /// <exception cref="FormatException">It is damaged, or another conversation's.</exception>
    /// <exception cref="NotSupportedException">It is whole, and of another version.</exception>
    public static List<Turn> Read(ReadOnlySpan<byte> bytes, UInt128 model, string id, string subject)
    {
        if (bytes.Length < TextsAt + SHA256.HashSizeInBytes || !bytes.StartsWith(Magic)) throw new FormatException($"{subject}: it is no conversation.");
        ReadOnlySpan<byte> texts = bytes[TextsAt..^SHA256.HashSizeInBytes];
        if (!SHA256.HashData(bytes[..^SHA256.HashSizeInBytes]).AsSpan().SequenceEqual(bytes[^SHA256.HashSizeInBytes..]))
            throw new FormatException($"{subject}: the checksum does not match; the file was cut off or damaged.");
        int version = BinaryPrimitives.ReadInt32LittleEndian(bytes[VersionAt..]);
        if (version != Version) throw new NotSupportedException($"It has version {version}, and this one reads {Version}.");
        if (BinaryPrimitives.ReadUInt128LittleEndian(bytes[ModelAt..]) != model || Text(ref texts) != id)
            throw new FormatException($"{subject}: the conversation is not what its name says.");
        var turns = new List<Turn>();
        while (!texts.IsEmpty) turns.Add(new Turn(Text(ref texts), Text(ref texts)));
        return turns;

        string Text(ref ReadOnlySpan<byte> left)
        {
            int units = left.Length < sizeof(int) ? -1 : BinaryPrimitives.ReadInt32LittleEndian(left);
            if (units < 0 || units > (left.Length - sizeof(int)) / sizeof(char)) throw new FormatException($"{subject}: a text ends beyond the file's end.");
            int end = sizeof(int) + units * sizeof(char);
            string text = new(MemoryMarshal.Cast<byte, char>(left[sizeof(int)..end]));
            left = left[end..];
            return text;
        }
    }
}
