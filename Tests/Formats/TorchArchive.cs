using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;

namespace MambaRT.Tests;

/// <summary>Writes PyTorch checkpoints byte by byte, good ones and bad ones.</summary>
internal sealed class TorchArchive
{
    private readonly List<(string Name, byte[] Bytes)> _entries = [];
    private readonly MemoryStream _pickle = new();

    public TorchArchive() => Write([0x80, 2]);

    /// <summary>Changes an entry's central header, its bytes at these places: 8 flags, 10 method, 20 and 24 sizes, 42 offset.</summary>
    public Action<string, byte[]> Central { get; set; } = (_, _) => { };

    /// <summary>Changes the end record: 10 entries, 12 size, 16 offset.</summary>
    public Action<byte[]> End { get; set; } = _ => { };

    /// <summary>What comes between the directory and the end record, given where it begins and the directory: zip64's records.</summary>
    public Func<long, (long Start, long Length, int Count), byte[]> BeforeEnd { get; set; } = (_, _) => [];

    /// <summary>The pickle's checksum is right unless it is changed.</summary>
    public uint PickleMask { get; set; }

    /// <summary>Sets one of the above.</summary>
    public TorchArchive With(Action<TorchArchive> change)
    {
        change(this);
        return this;
    }

    /// <summary>Opcodes.</summary>
    public TorchArchive Write(params ReadOnlySpan<byte> opcodes)
    {
        _pickle.Write(opcodes);
        return this;
    }

    /// <summary>Opcodes that are characters.</summary>
    public TorchArchive Write(string opcodes) => Write(Encoding.Latin1.GetBytes(opcodes));

    public TorchArchive Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return Write("X").Write(BitConverter.GetBytes(bytes.Length)).Write(bytes);
    }

    /// <summary>An integer of eight bytes.</summary>
    public TorchArchive Number(long value) => Write("\u008a\u0008").Write(BitConverter.GetBytes(value));

    public TorchArchive Numbers(params ReadOnlySpan<long> values)
    {
        Write("(");
        foreach (long value in values) Number(value);
        return Write("t");
    }

    /// <summary>A tensor as torch._utils._rebuild_tensor_v2 takes it.</summary>
    public TorchArchive Tensor(string storageClass, string key, long count, long offset, long[] shape, long[] strides)
    {
        Write("ctorch._utils\n_rebuild_tensor_v2\n((").Text("storage").Write($"ctorch\n{storageClass}\n").Text(key).Text("cpu").Number(count).Write("tQ");
        return Number(offset).Numbers(shape).Numbers(strides).Write("\u0089ccollections\nOrderedDict\n)RtR");
    }

    /// <summary>An entry "data/KEY".</summary>
    public TorchArchive Storage(string key, params float[] values) => Entry($"m/data/{key}", MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    public TorchArchive Entry(string name, byte[] bytes)
    {
        _entries.Add((name, bytes));
        return this;
    }

    /// <summary>A whole archive: the pickle so far, then the storages.</summary>
    public byte[] Build()
    {
        using var archive = new MemoryStream();
        using var central = new MemoryStream();
        (string Name, byte[] Bytes)[] entries = [("m/data.pkl", _pickle.ToArray()), .. _entries];
        foreach ((string name, byte[] bytes) in entries)
        {
            byte[] header = Header(name, bytes, (int)archive.Length);
            byte[] changed = [.. header];
            Central(name, changed);
            central.Write(changed);
            central.Write(Encoding.UTF8.GetBytes(name));
            archive.Write(Local(header));
            archive.Write(Encoding.UTF8.GetBytes(name));
            archive.Write(bytes);
        }
        long start = archive.Length;
        archive.Write(central.ToArray());
        archive.Write(BeforeEnd(archive.Length, (start, central.Length, entries.Length)));
        byte[] end = new byte[22];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054b50);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), (ushort)entries.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), (ushort)entries.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(12), (uint)central.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(16), (uint)start);
        End(end);
        archive.Write(end);
        return archive.ToArray();
    }

    private byte[] Header(string name, byte[] bytes, int offset)
    {
        byte[] header = new byte[46];
        uint crc = Crc32.HashToUInt32(bytes) ^ (name == "m/data.pkl" ? PickleMask : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0x02014b50);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), crc);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(20), bytes.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(24), bytes.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(28), (ushort)Encoding.UTF8.GetByteCount(name));
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(42), offset);
        return header;
    }

    /// <summary>The local header is the central one without its first and last fields.</summary>
    private static byte[] Local(byte[] central)
    {
        byte[] local = new byte[30];
        BinaryPrimitives.WriteUInt32LittleEndian(local, 0x04034b50);
        central.AsSpan(6, 24).CopyTo(local.AsSpan(4));
        return local;
    }
}
