using System.Buffers.Binary;
using System.Text;

namespace MambaRT.Formats;

/// <summary>Finds the files in a zip archive whose entries are stored, not compressed; trusts nothing in it.</summary>
/// <remarks>
/// The runtime's own reader hands out streams, whereas weights are read where the archive is mapped. Checked: counts, ranges,
/// agreement of the central directory with the local headers, that no two entries overlap and no name appears twice.
/// Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3 (zip64).
/// </remarks>
internal sealed class ZipDirectory
{
    private const uint LocalMark = 0x04034b50, CentralMark = 0x02014b50, EndMark = 0x06054b50, End64Mark = 0x06064b50, Locator64Mark = 0x07064b50;
    private const int LocalBytes = 30, CentralBytes = 46, EndBytes = 22, End64Bytes = 56, Locator64Bytes = 20, MaxComment = ushort.MaxValue;
    private const ushort Encrypted = 1, Zip64Field = 1;

    private readonly WeightBytes _file;
    private readonly Dictionary<string, ZipEntry> _entries = new(StringComparer.Ordinal);

    private ZipDirectory(WeightBytes file) => _file = file;

    /// <summary>Reads the directory.</summary>
    /// <exception cref="FormatException">The file is no zip archive, or damaged.</exception>
    /// <exception cref="NotSupportedException">An entry is compressed or encrypted.</exception>
    public static Dictionary<string, ZipEntry> Read(WeightBytes file)
    {
        var directory = new ZipDirectory(file);
        directory.ReadAll();
        return directory._entries;
    }

    private void ReadAll()
    {
        (long start, long length, long count) = FindDirectory();
        if (count > length / CentralBytes) throw Bad($"the archive claims {count} entries in a directory of {length} bytes");
        var ranges = new List<(long Start, long End, string Name)>();
        long at = start, end = start + length;
        for (long i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> header = Span(at, CentralBytes, end, "the archive's directory");
            if (Int(header, 0) != CentralMark) throw Bad($"entry {i} of the archive's directory has no header");
            int nameBytes = Short(header, 28), extraBytes = Short(header, 30), commentBytes = Short(header, 32);
            ReadOnlySpan<byte> tail = Span(at + CentralBytes, nameBytes + extraBytes, end, "the archive's directory");
            at += CentralBytes + nameBytes + extraBytes + commentBytes;
            string name = Encoding.UTF8.GetString(tail[..nameBytes]);
            ranges.Add(AddEntry(name, header, tail[..nameBytes], tail[nameBytes..], start));
        }
        if (at != end) throw Bad($"the archive's directory has {end - at} bytes more than its {count} entries");
        RefuseOverlaps(ranges);
    }

    /// <summary>Reads an entry and gives the range it takes, local header included.</summary>
    private (long Start, long End, string Name) AddEntry(string name, ReadOnlySpan<byte> header, ReadOnlySpan<byte> nameBytes, ReadOnlySpan<byte> extra, long dataEnd)
    {
        string shown = Printable.Text(name);
        if ((Short(header, 8) & Encrypted) != 0) throw new NotSupportedException($"{_file.Path}: entry '{shown}' is encrypted; save the weights without a password.");
        if (Short(header, 10) != 0)
            throw new NotSupportedException($"{_file.Path}: entry '{shown}' is compressed; PyTorch stores weights uncompressed, which is needed to read them in place. Save the checkpoint with torch.save.");
        long compressed = Int(header, 20), bytes = Int(header, 24), local = Int(header, 42);
        ReadZip64(shown, extra, ref bytes, ref compressed, ref local);
        if (compressed != bytes) throw Bad($"entry '{shown}' is stored in {compressed} bytes, but has {bytes}");
        ReadOnlySpan<byte> copy = Span(local, LocalBytes, dataEnd, $"the header of entry '{shown}'");
        if (Int(copy, 0) != LocalMark || Short(copy, 8) != 0 || Short(copy, 26) != nameBytes.Length
            || !Span(local + LocalBytes, nameBytes.Length, dataEnd, $"the header of entry '{shown}'").SequenceEqual(nameBytes))
            throw Bad($"entry '{shown}' has a header that differs from the archive's directory");
        long offset = local + LocalBytes + nameBytes.Length + Short(copy, 28);
        if (offset > dataEnd || bytes > dataEnd - offset) throw Bad($"entry '{shown}' claims {bytes} bytes, but {Math.Max(0, dataEnd - offset)} are left");
        if (!_entries.TryAdd(name, new ZipEntry(name, offset, bytes, Int(header, 16)))) throw Bad($"entry '{shown}' appears twice");
        return (local, offset + bytes, shown);
    }

    private void RefuseOverlaps(List<(long Start, long End, string Name)> ranges)
    {
        ranges.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        for (int i = 1; i < ranges.Count; i++)
            if (ranges[i].Start < ranges[i - 1].End) throw Bad($"entries '{ranges[i - 1].Name}' and '{ranges[i].Name}' overlap");
    }

    /// <summary>Sizes and offset of an entry of 4 GiB or more lie in an extra field, in this order and only where the header has ones.</summary>
    private void ReadZip64(string shown, ReadOnlySpan<byte> extra, ref long bytes, ref long compressed, ref long local)
    {
        while (extra.Length >= 4)
        {
            int length = Short(extra, 2);
            if (length > extra.Length - 4) throw Bad($"entry '{shown}' has an extra field of {length} bytes, but {extra.Length - 4} are left");
            ReadOnlySpan<byte> field = extra.Slice(4, length);
            if (Short(extra, 0) == Zip64Field)
            {
                Take(ref field, ref bytes);
                Take(ref field, ref compressed);
                Take(ref field, ref local);
            }
            extra = extra[(4 + length)..];
        }
        if (bytes < 0 || compressed < 0 || local < 0) throw Bad($"entry '{shown}' has sizes above {long.MaxValue}");

        static void Take(ref ReadOnlySpan<byte> field, ref long value)
        {
            if (value != uint.MaxValue || field.Length < 8) return;
            value = BinaryPrimitives.ReadInt64LittleEndian(field);
            field = field[8..];
        }
    }

    private (long Start, long Length, long Count) FindDirectory()
    {
        long at = FindEnd();
        ReadOnlySpan<byte> record = _file.Span(at, EndBytes);
        long count = Short(record, 10), length = Int(record, 12), start = Int(record, 16), end = at;
        if (Short(record, 4) is not (0 or ushort.MaxValue)) throw Bad("the archive is one of several volumes");
        if (at >= Locator64Bytes && Int(_file.Span(at - Locator64Bytes, Locator64Bytes), 0) == Locator64Mark)
        {
            end = BinaryPrimitives.ReadInt64LittleEndian(_file.Span(at - Locator64Bytes + 8, 8));
            ReadOnlySpan<byte> wide = Span(end, End64Bytes, at, "the archive's zip64 record");
            if (Int(wide, 0) != End64Mark) throw Bad("the archive has no zip64 record where its end says");
            long wideCount = Long(wide, 32), wideLength = Long(wide, 40), wideStart = Long(wide, 48);
            if ((count != ushort.MaxValue && count != wideCount) || (length != uint.MaxValue && length != wideLength) || (start != uint.MaxValue && start != wideStart))
                throw Bad("the archive's two end records disagree");
            (count, length, start) = (wideCount, wideLength, wideStart);
        }
        if (start < 0 || length < 0 || count < 0 || start > end || length > end - start)
            throw Bad($"the archive's directory claims {length} bytes at {start}, but {end} bytes come before its end");
        return (start, length, count);
    }

    /// <summary>Where the end record begins: the last one whose comment reaches to the end of the file.</summary>
    private long FindEnd()
    {
        int tail = (int)Math.Min(_file.Length, EndBytes + MaxComment);
        ReadOnlySpan<byte> bytes = _file.Span(_file.Length - tail, tail);
        for (int i = tail - EndBytes; i >= 0; i--)
            if (Int(bytes, i) == EndMark && i + EndBytes + Short(bytes, i + 20) == tail) return _file.Length - tail + i;
        throw Bad("there is no zip directory at its end");
    }

    private ReadOnlySpan<byte> Span(long offset, int count, long limit, string what) =>
        offset >= 0 && offset <= limit && count <= limit - offset ? _file.Span(offset, count) : throw Bad($"{what} lies outside the file");

    private static uint Int(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ushort Short(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static long Long(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

    private FormatException Bad(string what) =>
        new($"{_file.Path}: {what}: this is no PyTorch checkpoint, or it is damaged or incomplete; download it again.");
}
