using System.IO.Hashing;

namespace MambaRT.Formats;

/// <summary>The tensors of one checkpoint that torch.save wrote (pytorch_model.bin): a zip archive of a pickle and raw storages, mapped.</summary>
/// <remarks>
/// Only a dictionary of tensors is read, nothing is executed (<see cref="PickleReader"/>). Views are honoured: any strides, offsets
/// into a storage, storages shared by several names; all are checked against the storage's bytes at opening. Safe to read from several
/// threads; dispose when nobody uses its tensors any more.
/// </remarks>
public sealed class PyTorchFile : ICheckpointFile
{
    // A state dictionary takes about 200 bytes a tensor; reading takes some ten times the pickle's size.
    private const int MaxPickleBytes = 1 << 24;
    private const int MaxRank = 8;
    private const long MaxRepeated = 1 << 28;   // elements of a view that shows a storage's elements more than once
    private const string PickleName = "/data.pkl";

    private readonly WeightBytes _file;
    private readonly Dictionary<string, ZipEntry> _entries;
    private readonly string _root;
    private readonly List<CheckpointTensor> _tensors = [];

    private PyTorchFile(WeightBytes file)
    {
        _file = file;
        try
        {
            RefuseOldContainer();
            _entries = ZipDirectory.Read(file);
            _root = FindRoot();
            RefuseBigEndian();
            AddTensors(PickleReader.Read(Path, Pickle()));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Path => _file.Path;

    /// <inheritdoc/>
    public IReadOnlyList<CheckpointTensor> Tensors => _tensors;

    /// <summary>Opens a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="FormatException">It is no PyTorch checkpoint, damaged, or holds something other than tensors.</exception>
    /// <exception cref="NotSupportedException">It is compressed, or in a container that PyTorch no longer writes.</exception>
    public static PyTorchFile Open(string path) => new(WeightBytes.Open(path, copyToMemory: false));

    /// <summary>Reads a file that is in memory; <paramref name="bytes"/> is disposed with it, or when it is refused.</summary>
    internal static PyTorchFile Parse(string subject, NativeBuffer bytes) => new(new WeightBytes(subject, bytes));

    /// <inheritdoc/>
    public void EnsureReadable() => _file.EnsureUnchanged();

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void RefuseOldContainer()
    {
        // Before PyTorch 1.6 a checkpoint was five pickles in a row, the first of which is a number.
        ReadOnlySpan<byte> start = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
        if (_file.Start.StartsWith(start))
            throw new NotSupportedException($"{Path}: the checkpoint is in the container that PyTorch wrote before version 1.6; load and save it with a newer PyTorch, or get the model as safetensors.");
    }

    private string FindRoot()
    {
        string[] pickles = [.. _entries.Keys.Where(name => name.EndsWith(PickleName, StringComparison.Ordinal) && name.IndexOf('/') == name.Length - PickleName.Length)];
        return pickles.Length == 1 ? pickles[0][..^PickleName.Length]
            : throw new FormatException($"{Path}: the archive has {pickles.Length} entries 'data.pkl'; 1 is needed. This is no PyTorch checkpoint, or it is damaged; download it again.");
    }

    private void RefuseBigEndian()
    {
        if (_entries.TryGetValue(_root + "/byteorder", out ZipEntry order) && (order.Length != 6 || !_file.Span(order.Offset, 6).SequenceEqual("little"u8)))
            throw new NotSupportedException($"{Path}: the weights are not in little-endian byte order; save them on a common machine.");
    }

    private ReadOnlySpan<byte> Pickle()
    {
        ZipEntry entry = _entries[_root + PickleName];
        if (entry.Length > MaxPickleBytes)
            throw new FormatException($"{Path}: the pickle has {entry.Length} bytes; at most {MaxPickleBytes} are read. Save the model's tensors alone.");
        ReadOnlySpan<byte> pickle = _file.Span(entry.Offset, (int)entry.Length);
        return Crc32.HashToUInt32(pickle) == entry.Crc ? pickle
            : throw new FormatException($"{Path}: the pickle does not match its checksum; download the file again.");
    }

    private void AddTensors(object? root)
    {
        if (root is not PickleDictionary dictionary) throw new FormatException($"{Path}: the pickle holds no dictionary; a state dictionary of tensors is needed: save model.state_dict().");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach ((object? key, object? value) in dictionary.Pairs)
        {
            if (key is not string name) throw new FormatException($"{Path}: the pickle's dictionary has a key that is no text; a state dictionary of tensors is needed: save model.state_dict().");
            if (value is not PickleTensor tensor)
                throw new FormatException($"{Path}: '{Printable.Text(name)}' in the pickle is no tensor; a state dictionary of tensors alone is needed: save model.state_dict().");
            if (!names.Add(name)) throw new FormatException($"{Path}: tensor '{Printable.Text(name)}' appears twice; download the file again.");
            _tensors.Add(Check(name, tensor));
        }
    }

    private CheckpointTensor Check(string name, PickleTensor tensor)
    {
        PickleStorage storage = tensor.Storage;
        int size = CheckpointTensor.ElementBytes(storage.DType);
        if (!_entries.TryGetValue($"{_root}/data/{storage.Key}", out ZipEntry entry)) throw Bad(name, $"lies in the storage '{Printable.Text(storage.Key)}', which the archive does not have");
        if (storage.Count < 0 || (Int128)storage.Count * size != entry.Length)
            throw Bad(name, $"lies in a storage of {entry.Length} bytes, but {storage.Count} elements of {storage.DType} are claimed");
        if (tensor.Shape.Length != tensor.Strides.Length || tensor.Shape.Length > MaxRank)
            throw Bad(name, $"has {tensor.Shape.Length} sizes and {tensor.Strides.Length} strides; as many of both, at most {MaxRank}, are needed");
        CheckExtent(name, tensor);
        return new CheckpointTensor(_file, name, storage.DType, tensor.Shape, entry.Offset + tensor.Offset * size, tensor.Strides);
    }

    /// <summary>Checks that the first element and the one that lies last are inside the storage.</summary>
    private void CheckExtent(string name, PickleTensor tensor)
    {
        Int128 last = tensor.Offset, elements = 1;
        for (int i = 0; i < tensor.Shape.Length; i++)
        {
            long length = tensor.Shape[i], stride = tensor.Strides[i];
            if (length < 0 || stride < 0) throw Bad(name, "has a negative size or stride");
            last += (Int128)Math.Max(0, length - 1) * stride;
            if ((elements *= length) > long.MaxValue / 8 || last > long.MaxValue) throw Bad(name, $"has more than {long.MaxValue / 8} elements");
        }
        if (tensor.Offset < 0 || tensor.Offset > tensor.Storage.Count || (elements > 0 && last >= tensor.Storage.Count))
            throw Bad(name, $"reaches to element {last} of a storage of {tensor.Storage.Count}");
        if (elements > tensor.Storage.Count && elements > MaxRepeated)
            throw Bad(name, $"makes {elements} elements of a storage of {tensor.Storage.Count}");
    }

    private FormatException Bad(string name, string predicate) =>
        new($"{Path}: tensor '{Printable.Text(name)}' {predicate}: the checkpoint is damaged; download it again.");
}
