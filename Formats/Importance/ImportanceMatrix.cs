namespace MambaRT.Formats;

/// <summary>How much each column of each weight matrix matters: the mean square of what the matrix was multiplied with over a text.</summary>
/// <remarks>
/// llama.cpp's imatrix: read as GGUF or in the older binary form, written as GGUF, which llama.cpp reads. A file is hostile input: all of it is
/// checked, and what is kept is at most what the file holds. Immutable once read; filled by one thread. Source: llama.cpp, tools/imatrix.
/// </remarks>
public sealed class ImportanceMatrix
{
    private const string TypeKey = "general.type", TypeName = "imatrix", DatasetsKey = "imatrix.datasets";
    private const string ChunksKey = "imatrix.chunk_count", ChunkTokensKey = "imatrix.chunk_size";
    private const string SquaresSuffix = ".in_sum2", CountsSuffix = ".counts";

    private readonly SortedDictionary<string, (float[] MeanSquares, long Rows)> _entries = new(StringComparer.Ordinal);

    /// <summary>An empty matrix.</summary>
    /// <param name="subject">What errors are about: a file's path, or a description.</param>
    public ImportanceMatrix(string subject) => Subject = subject;

    /// <summary>What errors are about.</summary>
    public string Subject { get; }

    /// <summary>The texts it was made over, the last one last.</summary>
    public IReadOnlyList<string> Datasets { get; init; } = [];

    /// <summary>Chunks of text it was made over.</summary>
    public int Chunks { get; init; }

    /// <summary>Tokens in a chunk; 0 where the file does not say.</summary>
    public int ChunkTokens { get; init; }

    /// <summary>Weight matrices in it.</summary>
    public int Count => _entries.Count;

    /// <summary>Names of the weight matrices, in order.</summary>
    public IReadOnlyCollection<string> Names => _entries.Keys;

    /// <summary>Finds the mean square of each column of a weight matrix; zeros alone say nothing and are as good as none.</summary>
    public bool TryGet(string tensor, out float[] meanSquares)
    {
        bool found = _entries.TryGetValue(tensor, out var entry) && entry.MeanSquares.AsSpan().ContainsAnyExcept(0f);
        meanSquares = found ? entry.MeanSquares : [];
        return found;
    }

    /// <summary>Adds a weight matrix.</summary>
    /// <param name="tensor">Its name.</param>
    /// <param name="meanSquares">A finite number of 0 or more for each column.</param>
    /// <param name="rows">Rows that it was multiplied with; at least 1.</param>
    /// <exception cref="FormatException">It is there already, or a number cannot be one.</exception>
    public void Add(string tensor, float[] meanSquares, long rows)
    {
        if (rows < 1) throw Wrong(tensor, "was never used; make the matrix over a longer text");
        foreach (float value in meanSquares)
            if (!(value >= 0) || !float.IsFinite(value)) throw Wrong(tensor, $"holds {value}, and a mean square is a finite number of 0 or more; make the matrix again");
        if (!_entries.TryAdd(tensor, (meanSquares, rows))) throw Wrong(tensor, "is there twice; make the matrix again");
    }

    /// <summary>Reads a file in either form.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="FormatException">It is neither form, or damaged.</exception>
    /// <exception cref="NotSupportedException">It is of a model with experts.</exception>
    public static ImportanceMatrix Read(string path)
    {
        PathKinds.RequireFile(path, "an importance matrix, as 'mambart imatrix' makes it");
        Span<byte> magic = stackalloc byte[4];
        using (FileStream stream = File.OpenRead(path))
            if (stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) < 4) throw new FormatException($"{path}: the file has fewer than 4 bytes; give an importance matrix that 'mambart imatrix' or llama.cpp wrote.");
        return magic.SequenceEqual("GGUF"u8) ? ReadGguf(path) : LegacyImportance.Read(path);
    }

    /// <summary>Writes the GGUF form; the file appears when it is complete.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(string path)
    {
        var metadata = new GgufMetadata(path);
        metadata.Set(TypeKey, TypeName);
        metadata.Set(DatasetsKey, Datasets.ToArray());
        metadata.Set(ChunksKey, (uint)Chunks);
        metadata.Set(ChunkTokensKey, (uint)ChunkTokens);
        var writer = new GgufWriter(metadata);
        foreach ((string name, (float[] meanSquares, long rows)) in _entries)
        {
            float[] sums = Array.ConvertAll(meanSquares, mean => mean * rows);
            writer.AddTensor(name + SquaresSuffix, QuantTypes.F32, [sums.Length, 1], stream => Write(stream, sums));
            writer.AddTensor(name + CountsSuffix, QuantTypes.F32, [1, 1], stream => Write(stream, [rows]));
        }
        writer.Write(path);
    }

    private static void Write(Stream stream, float[] values) => stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));

    private static ImportanceMatrix ReadGguf(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        if (file.Metadata.TryGetString(TypeKey) is var type && type != TypeName)
            throw new FormatException($"{path}: key '{TypeKey}' is {(type is null ? "missing" : $"'{Printable.Text(type)}'")}; an importance matrix has '{TypeName}'. Give a file that 'mambart imatrix' or llama-imatrix wrote.");
        var matrix = new ImportanceMatrix(path)
        {
            Datasets = file.Metadata.TryGetStrings(DatasetsKey) ?? [],
            Chunks = file.Metadata.TryGetInt32(ChunksKey, 0) ?? 0,
            ChunkTokens = file.Metadata.TryGetInt32(ChunkTokensKey, 0) ?? 0,
        };
        foreach (GgufTensorInfo tensor in file.Tensors)
            if (tensor.Name.EndsWith(SquaresSuffix, StringComparison.Ordinal)) matrix.Add(file, tensor);
        return matrix.Count > 0 ? matrix
            : throw new FormatException($"{path}: there is no entry in this importance matrix; make it over a longer text.");
    }

    private void Add(GgufFile file, GgufTensorInfo squares)
    {
        string name = squares.Name[..^SquaresSuffix.Length];
        if (!file.TryGet(name + CountsSuffix, out TensorView counts)) throw Wrong(name, "has sums but no count; make the matrix again");
        if (squares.Rows != 1 || counts is not { Rows: 1, Columns: 1 })
            throw new NotSupportedException($"{Subject}: entry '{Printable.Text(name)}' is of {squares.Rows} experts; MambaRT has no such models.");
        file.TryGet(squares.Name, out TensorView sums);
        Span<float> count = stackalloc float[1];
        counts.DecodeRow(0, count);
        if (!(count[0] >= 0 && count[0] < 1e18f)) throw Wrong(name, $"counts {count[0]} rows; make the matrix again");
        if (count[0] < 1) return;   // never used
        var means = new float[sums.Columns];
        sums.DecodeRow(0, means);
        foreach (ref float mean in means.AsSpan()) mean /= count[0];
        Add(name, means, (long)count[0]);
    }

    private FormatException Wrong(string tensor, string predicate) => new($"{Subject}: entry '{Printable.Text(tensor)}' {predicate}.");
}
